import { createRng, type Tensor } from "@tt-rec/tensor";
import { allClose, finiteDifferences, rejectsCode, scratchFrom, throwsCode } from "@tt-rec/testing";
import test from "ava";
import fc from "fast-check";
import type { InteractionConfig } from "../src/index.ts";
import { createInteraction } from "../src/layers/create-interaction.ts";
import type { Interaction } from "../src/layers/interaction.ts";
import { Mlp } from "../src/layers/mlp.ts";
import { defineCross, defineInteraction, defineMlp } from "./model-definition.ts";
import { runtime } from "./support.ts";

const RUNS = process.env.TT_REC_LONG ? 500 : 20;
/** Fixed, since a gradient that happens to lie at a kink or to cancel would fail for no fault of the code. */
const SEED = 2021;
const small = fc.integer({ min: 1, max: 7 });

function drawn(shape: readonly number[], seed: number): Tensor {
  const rng = createRng(seed);
  const tensor = runtime.scratch(shape);
  tensor.data.set(Float32Array.from({ length: tensor.size }, () => rng.normal()));
  return tensor;
}

/** A runtime has one step at a time, and the tests of a file run side by side. */
let last: Promise<unknown> = Promise.resolve();
function inStep(body: () => Promise<void>): Promise<void> {
  const next = last.then(() => runtime.step(body));
  last = next.catch(() => undefined);
  return next;
}

/** The interaction of `count` vectors of `dim` elements. */
function interactionOf(config: InteractionConfig, count: number, dim: number, hasBottom: boolean, seed = 1): Interaction {
  return createInteraction(runtime, config, { count, dim, hasBottom }, createRng(seed));
}

const DOT = { kind: "dot" } as const;

test("the interaction is the lower triangle, row by row, behind the bottom output", async (t) => {
  await inStep(async () => {
    const vectors = [
      [1, 2],
      [3, 5],
      [7, 11],
    ].map((values) => scratchFrom(runtime, [1, 2], values));
    const forward = async (config: InteractionConfig, hasBottom: boolean): Promise<number[]> => [
      ...(await interactionOf(config, 3, 2, hasBottom).forward(vectors)).output.data,
    ];
    // ⟨v1,v0⟩ = 13, ⟨v2,v0⟩ = 29, ⟨v2,v1⟩ = 76; the squares are 5, 34 and 170.
    t.deepEqual(await forward(DOT, true), [1, 2, 13, 29, 76]);
    t.deepEqual(await forward(DOT, false), [13, 29, 76]);
    t.deepEqual(await forward({ kind: "dot", self: true }, true), [1, 2, 5, 13, 34, 29, 76, 170]);
    t.deepEqual(await forward({ kind: "cat" }, true), [1, 2, 3, 5, 7, 11]);
  });
});

test("the interaction of DLRM's Kaggle model is 367 wide, of its Terabyte model 415; with itself 394; concatenated 432", (t) => {
  t.is(interactionOf(DOT, 27, 16, true).outputWidth, 367);
  t.is(interactionOf(DOT, 27, 64, true).outputWidth, 415);
  t.is(interactionOf(DOT, 26, 16, false).outputWidth, 325);
  t.is(interactionOf({ kind: "dot", self: true }, 27, 16, true).outputWidth, 394);
  t.is(interactionOf({ kind: "cat" }, 27, 16, true).outputWidth, 432);
  t.is(interactionOf({ kind: "cross", layers: 2, rank: 3 }, 27, 16, true).outputWidth, 432);
});

const stackCase = fc.record({
  rows: small,
  vectors: fc.integer({ min: 2, max: 7 }),
  dim: small,
  hasBottom: fc.boolean(),
  seed: fc.nat(),
});

const INTERACTIONS: readonly InteractionConfig[] = [
  DOT,
  { kind: "dot", self: true },
  { kind: "cat" },
  { kind: "cross", layers: 1, rank: 3 },
  { kind: "cross", layers: 3, rank: 2 },
];

for (const config of INTERACTIONS) {
  test(`${JSON.stringify(config)} and its gradients agree with the definition and finite differences`, async (t) => {
    await fc.assert(
      fc.asyncProperty(stackCase, ({ rows, vectors, dim, hasBottom, seed }) =>
        inStep(async () => {
          const layer = interactionOf(config, vectors, dim, hasBottom, seed);
          const inputs = Array.from({ length: vectors }, (_, v) => drawn([rows, dim], seed + 2 + v));
          const upstream = drawn([rows, layer.outputWidth], seed + 1);
          // Biases are 0 at first, which would hide what they do.
          for (const { name, weights } of layer.parameters) if (name.endsWith("bias")) weights.data.fill(0.25);
          const parameters = new Map(layer.parameters.map(({ name, weights }) => [name, Float64Array.from(weights.data)]));
          const define = (values: ReadonlyMap<string, Float64Array>, x: Float64Array): number[] =>
            Array.from({ length: rows }, (_, b) => {
              const own = Array.from({ length: vectors }, (_, v) => [
                ...x.subarray((v * rows + b) * dim, (v * rows + b + 1) * dim),
              ]);
              if (config.kind === "dot") return [...(hasBottom ? own[0] : []), ...defineInteraction(own, config.self)];
              return defineCross(config.kind === "cross" ? config.layers : 0, values, own.flat());
            }).flat();
          const x = Float64Array.from(inputs.flatMap(({ data }) => [...data]));
          const { output, backward } = await layer.forward(inputs);
          allClose(t, output.data, define(parameters, x), 1e-5);
          const scalar = (y: readonly number[]): number => y.reduce((sum, z, i) => sum + z * upstream.data[i], 0);
          const gradients = inputs.map(({ shape }) => runtime.rawScratch(shape));
          await backward(upstream, gradients);
          allClose(
            t,
            gradients.flatMap(({ data }) => [...data]),
            finiteDifferences((y) => scalar(define(parameters, y)), x),
            1e-4,
          );
          for (const { name, gradient } of layer.parameters) {
            const moved = (w: Float64Array): number => scalar(define(new Map([...parameters, [name, w]]), x));
            allClose(t, gradient.data, finiteDifferences(moved, parameters.get(name) as Float64Array), 1e-4);
          }
        }),
      ),
      { numRuns: RUNS, seed: SEED },
    );
  });
}

test("vectors of another shape or number are E_SHAPE", async (t) => {
  await inStep(async () => {
    for (const config of INTERACTIONS) {
      const layer = interactionOf(config, 3, 5, true);
      const vectors = [1, 2, 3].map((seed) => drawn([7, 5], seed));
      const other = [vectors[0], drawn([7, 3], 4), vectors[2]];
      await rejectsCode(t, "E_SHAPE", layer.forward(other), /vector 1 .*\[7,3\].*\[7,5\]/);
      await rejectsCode(t, "E_SHAPE", layer.forward(vectors.slice(1)), /2 vectors a sample were given, 3 were expected/);
    }
  });
});

const mlpCase = fc.record({
  rows: small,
  inputs: small,
  widths: fc.array(small, { minLength: 1, maxLength: 3 }),
  lastRelu: fc.boolean(),
  seed: fc.nat(),
});

test("an MLP and its gradients agree with the definition and finite differences", async (t) => {
  await fc.assert(
    fc.asyncProperty(mlpCase, ({ rows, inputs, widths, lastRelu, seed }) =>
      inStep(async () => {
        const mlp = new Mlp(runtime, "m", inputs, widths, lastRelu, createRng(seed));
        const parameters = new Map(mlp.parameters.map(({ name, weights }) => [name, Float64Array.from(weights.data)]));
        const input = drawn([rows, inputs], seed + 1);
        const define = (values: ReadonlyMap<string, Float64Array>, x: Float64Array): number[] =>
          Array.from({ length: rows }, (_, b) =>
            defineMlp("m", widths.length, lastRelu, values, [...x.subarray(b * inputs, (b + 1) * inputs)]),
          ).flat();
        const x = Float64Array.from(input.data);
        const trace = await mlp.forward(input);
        const output = trace[trace.length - 1];
        allClose(t, output.data, define(parameters, x), 1e-5);

        const upstream = drawn(output.shape, seed + 2);
        const weigh = Float64Array.from(upstream.data);
        const scalar = (y: number[]): number => y.reduce((sum, value, i) => sum + value * weigh[i], 0);
        // A step this small crosses no kink of a ReLU, unless one lies within 1e-7 of an input.
        const dx = await mlp.backward(trace, upstream, true);
        allClose(
          t,
          dx?.data ?? [],
          finiteDifferences((y) => scalar(define(parameters, y)), x, 1e-7),
          1e-4,
        );
        for (const parameter of mlp.parameters) {
          const moved = (w: Float64Array): number => scalar(define(new Map([...parameters, [parameter.name, w]]), x));
          const expected = finiteDifferences(moved, parameters.get(parameter.name) as Float64Array, 1e-7);
          allClose(t, parameter.gradient.data, expected, 1e-4);
        }
      }),
    ),
    { numRuns: RUNS, seed: SEED },
  );
});

test("MLP weights are drawn from N(0, 2/(in + out)), biases from N(0, 1/out)", (t) => {
  const [mean, variance] = [
    (x: Float32Array) => x.reduce((a, b) => a + b, 0) / x.length,
    (x: Float32Array) => mean(x.map((v) => v * v)),
  ];
  const { parameters } = new Mlp(runtime, "m", 367, [512, 257, 61], false, createRng(3));
  const variances = [2 / (367 + 512), 1 / 512, 2 / (512 + 257), 1 / 257, 2 / (257 + 61), 1 / 61];
  for (const [i, { weights }] of parameters.entries()) {
    const { data, size } = weights;
    t.true(Math.abs(mean(data)) < 4 * Math.sqrt(variances[i] / size), `mean of ${i}`);
    t.true(Math.abs(variance(data) / variances[i] - 1) < 4 * Math.sqrt(2 / size), `variance of ${i}`);
    const kurtosis = mean(data.map((v) => v ** 4)) / variances[i] ** 2;
    t.true(Math.abs(kurtosis - 3) < 6 * Math.sqrt(24 / size), `kurtosis of ${i}`);
  }
});

test("He's initialiser draws weights from N(0, 2/in) and leaves biases at 0", (t) => {
  const { parameters } = new Mlp(runtime, "m", 367, [513, 61], false, createRng(3), "he");
  for (const [i, inputs] of [
    [0, 367],
    [2, 513],
  ]) {
    const { data, size } = parameters[i].weights;
    const variance = data.reduce((sum, v) => sum + v * v, 0) / size;
    t.true(Math.abs((variance * inputs) / 2 - 1) < 4 * Math.sqrt(2 / size));
    t.true(parameters[i + 1].weights.data.every((bias) => bias === 0));
  }
});

test("a width that is not a positive whole number is E_OPTION", (t) => {
  for (const width of [0, -1, 1.5, Number.NaN]) {
    throwsCode(t, "E_OPTION", () => new Mlp(runtime, "top", 3, [5, width, 1], false, createRng(1)), /width 1 of the top MLP/);
  }
});
