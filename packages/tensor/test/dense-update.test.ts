import { createRng, type Tensor, type UpdateRule } from "@tt-rec/tensor";
import { allClose, rejectsCode } from "@tt-rec/testing";
import test from "ava";
import { crews, engines } from "./dense-engines.ts";

const RULES: readonly UpdateRule[] = [
  { kind: "sgd", learningRate: 0.3 },
  { kind: "sgd", learningRate: 0.3, scale: 0.5 },
  { kind: "adagrad", learningRate: 0.2 },
  { kind: "adagrad", learningRate: 0.2, eps: 0.1, scale: 0.5 },
  { kind: "rowWiseAdagrad", learningRate: 0.2 },
  { kind: "rowWiseAdagrad", learningRate: 0.2, eps: 0.1, scale: 0.5 },
  { kind: "momentum", learningRate: 0.3, momentum: 0.75 },
  { kind: "momentum", learningRate: 0.3, momentum: 0.5, scale: 0.25 },
  { kind: "adam", learningRate: 0.2, step: 1 },
  { kind: "adam", learningRate: 0.2, step: 7, beta1: 0.5, beta2: 0.75, eps: 0.1, scale: 0.5 },
];

const SHAPES = [[7], [1], [3, 5], [2, 3, 19], [211, 97], [5, 16_411], [0, 3], [3, 0], []];

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** The shape of the accumulators; undefined without any. */
function stateShape({ kind }: UpdateRule, shape: readonly number[]): readonly number[] | undefined {
  if (kind === "sgd") return undefined;
  if (kind === "rowWiseAdagrad") return shape.slice(0, 1);
  return kind === "adam" ? [2, ...shape] : shape;
}

/** The rules by their formulas, in float64. */
function expectedUpdate(rule: UpdateRule, slice: number, w: Float64Array, g: Float64Array, h: Float64Array): void {
  const { learningRate, scale = 1 } = rule;
  if (rule.kind === "rowWiseAdagrad") {
    for (let i = 0; i < h.length; i++) {
      h[i] += g.subarray(i * slice, (i + 1) * slice).reduce((sum, x) => sum + (scale * x) ** 2 / slice, 0);
    }
  }
  for (let i = 0; i < w.length; i++) w[i] -= learningRate * direction(rule, slice, i, scale * g[i], h, w.length);
}

/** What element i goes along, after its accumulators have taken its gradient. */
function direction(rule: UpdateRule, slice: number, i: number, g: number, h: Float64Array, count: number): number {
  switch (rule.kind) {
    case "sgd":
      return g;
    case "momentum":
      h[i] = rule.momentum * h[i] + g;
      return h[i];
    case "adagrad":
      h[i] += g ** 2;
      return g / (Math.sqrt(h[i]) + (rule.eps ?? 1e-10));
    case "rowWiseAdagrad":
      return g / (Math.sqrt(h[Math.floor(i / slice)]) + (rule.eps ?? 1e-10));
    case "adam": {
      const { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, step } = rule;
      h[i] = beta1 * h[i] + (1 - beta1) * g;
      h[count + i] = beta2 * h[count + i] + (1 - beta2) * g ** 2;
      return h[i] / (1 - beta1 ** step) / (Math.sqrt(h[count + i] / (1 - beta2 ** step)) + eps);
    }
  }
}

for (const { kernels, name, of, normal } of engines) {
  for (const rule of RULES) {
    test(`${name}: one pass of ${JSON.stringify(rule)} updates several parameters by the formula`, async (t) => {
      const rng = createRng(13);
      const parameters = SHAPES.map((shape) => {
        const [weights, gradient, stateful] = [normal(rng, shape), normal(rng, shape), stateShape(rule, shape)];
        gradient.data.set([0, 0].slice(0, gradient.size));
        if (stateful === undefined) return { weights, gradient };
        return { weights, gradient, state: of(stateful, new Float32Array(sizeOf(stateful)).fill(0.125)) };
      });
      const expected = parameters.map(({ weights, gradient, state }, i) => {
        const [w, g, h] = [weights, gradient, state].map((tensor) => Float64Array.from(tensor?.data ?? []));
        for (let pass = 0; pass < 2; pass++) expectedUpdate(rule, sizeOf(SHAPES[i].slice(1)), w, g, h);
        return { w, h };
      });
      for (let pass = 0; pass < 2; pass++) await kernels.update(rule, parameters);
      for (const [i, { weights, state }] of parameters.entries()) {
        if (weights.size === 0) continue;
        allClose(t, weights.data, expected[i].w, 1e-6);
        if (state !== undefined) allClose(t, state.data, expected[i].h, 1e-6);
      }
    });
  }

  test(`${name}: a gradient that was always 0 leaves the weights alone, however small eps is`, async (t) => {
    for (const kind of ["adagrad", "rowWiseAdagrad", "adam"] as const) {
      const [weights, gradient, state] = [of([5], [1, 2, 3, 4, 5]), of([5], []), of(kind === "adam" ? [2, 5] : [5], [])];
      await kernels.update({ kind, learningRate: 1, eps: 1e-60, step: 1 }, [{ weights, gradient, state }]);
      t.deepEqual([...weights.data], [1, 2, 3, 4, 5]);
    }
  });

  test(`${name}: an update refuses what does not fit before it writes`, async (t) => {
    const good = { weights: of([2, 3], [1, 2, 3, 4, 5, 6]), gradient: of([2, 3], [1, 1, 1, 1, 1, 1]), state: of([2, 3], []) };
    const tensor = (shape: readonly number[]): Tensor => of(shape, []);
    const adagrad: UpdateRule = { kind: "adagrad", learningRate: 1 };
    const refuses = (code: string, message: RegExp, rule: UpdateRule, bad: object): Promise<void> =>
      rejectsCode(t, code, kernels.update(rule, [good, { ...good, ...bad }]), message);
    await refuses("E_SHAPE", /weights \[2,3\] with a gradient \[5\]/, adagrad, { gradient: tensor([5]) });
    await refuses("E_SHAPE", /needs 6 accumulators, not 2/, adagrad, { state: tensor([2]) });
    await refuses("E_SHAPE", /needs 2 accumulators, not 6/, { kind: "rowWiseAdagrad", learningRate: 1 }, {});
    await refuses("E_SHAPE", /needs 12 accumulators, not 6/, { kind: "adam", learningRate: 1, step: 1 }, {});
    await refuses("E_OPTION", /adagrad needs accumulators/, adagrad, { state: undefined });
    await refuses("E_OPTION", /learningRate/, { ...adagrad, learningRate: -1 }, {});
    const dead = tensor([2, 3]);
    dead.dispose();
    await refuses("E_DISPOSED", /end of life/, adagrad, { state: dead });
    t.deepEqual([...good.weights.data, ...good.state.data], [1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0]);
  });
}

for (const crew of crews) {
  test(`updates have the same bits on ${crew.map(({ name }) => name).join(", ")}`, async (t) => {
    for (const rule of RULES) {
      const results = [];
      for (const { kernels, normal, of } of crew) {
        const rng = createRng(14);
        const shape = [1031, 97];
        const [weights, gradient, stateful] = [normal(rng, shape), normal(rng, shape), stateShape(rule, shape)];
        const state = stateful && of(stateful, []);
        await kernels.update(rule, [{ weights, gradient, ...(state && { state }) }]);
        results.push([weights.data, state?.data]);
      }
      for (const result of results) t.deepEqual(result, results[0]);
    }
  });
}
