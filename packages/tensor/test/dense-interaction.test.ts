import { createRng, type Tensor } from "@tt-rec/tensor";
import { allClose, finiteDifferences, rejectsCode } from "@tt-rec/testing";
import test from "ava";
import fc from "fast-check";
import { crews, engines } from "./dense-engines.ts";

const RUNS = process.env.TT_REC_LONG ? 1000 : 60;

/** The interaction by its definition, in float64: vectors one after the other, [V, B, D]. */
function interaction(
  x: Float64Array,
  vectors: number,
  samples: number,
  dim: number,
  passThrough: boolean,
  self: boolean,
): number[] {
  const at = (v: number, b: number): Float64Array => x.subarray((v * samples + b) * dim, (v * samples + b + 1) * dim);
  const out: number[] = [];
  for (let b = 0; b < samples; b++) {
    if (passThrough) out.push(...at(0, b));
    for (let i = 0; i < vectors; i++) {
      for (let k = 0; k < (self ? i + 1 : i); k++) out.push(at(i, b).reduce((sum, value, j) => sum + value * at(k, b)[j], 0));
    }
  }
  return out;
}

const cases = fc.record({
  vectors: fc.constantFrom(1, 2, 3, 5, 8, 13, 27),
  samples: fc.constantFrom(1, 3, 7),
  dim: fc.constantFrom(1, 2, 3, 4, 5, 12, 16, 19, 32, 39),
  passThrough: fc.boolean(),
  self: fc.boolean(),
  seed: fc.nat(),
});

for (const { kernels, name, of, normal } of engines) {
  const filled = (shape: readonly number[]): Tensor =>
    of(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(Number.NaN));

  test(`${name}: the interaction agrees with its definition, and its gradient with finite differences`, async (t) => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ vectors, samples, dim, passThrough, self, seed }) => {
        const rng = createRng(seed);
        // Numbers above 0, so that no sum cancels: then rounding is small against the result, however few elements it has.
        const positive = (shape: readonly number[]): Tensor =>
          of(
            shape,
            Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.1 + 0.9 * rng.uniform()),
          );
        const x = Array.from({ length: vectors }, () => positive([samples, dim]));
        const width = (passThrough ? dim : 0) + (vectors * (vectors + (self ? 1 : -1))) / 2;
        const out = filled([samples, width]);
        await kernels.dotInteraction(x, passThrough, out, self);
        const stacked = Float64Array.from(x.flatMap(({ data }) => [...data]));
        if (width > 0) allClose(t, out.data, interaction(stacked, vectors, samples, dim, passThrough, self), 2e-6);

        const gradient = positive([samples, width]);
        const gradients = x.map(() => filled([samples, dim]));
        await kernels.dotInteractionBackward(x, passThrough, gradient, gradients, self);
        const actual = gradients.flatMap(({ data }) => [...data]);
        if (width === 0) return t.true(actual.every((value) => value === 0));
        // Quadratic in all of its arguments together, so that central differences have no error but rounding.
        if (stacked.length > 300) return undefined;
        const weighted = (values: Float64Array): number =>
          interaction(values, vectors, samples, dim, passThrough, self).reduce(
            (sum, value, i) => sum + value * gradient.data[i],
            0,
          );
        allClose(t, actual, finiteDifferences(weighted, stacked), 1e-5);
        return undefined;
      }),
      { numRuns: RUNS },
    );
  });

  test(`${name}: DLRM's 27 vectors of 16 elements have the gradient of the definition`, async (t) => {
    const rng = createRng(11);
    const [vectors, samples, dim] = [27, 5, 16];
    const x = Array.from({ length: vectors }, () => normal(rng, [samples, dim]));
    const gradient = normal(rng, [samples, dim + 351]);
    const gradients = x.map(() => filled([samples, dim]));
    await kernels.dotInteractionBackward(x, true, gradient, gradients);
    const expected = x.map(() => new Float64Array(samples * dim));
    for (let b = 0; b < samples; b++) {
      let at = b * (dim + 351);
      for (let j = 0; j < dim; j++) expected[0][b * dim + j] += gradient.data[at++];
      for (let i = 1; i < vectors; i++) {
        for (let k = 0; k < i; k++, at++) {
          for (let j = b * dim; j < (b + 1) * dim; j++) {
            expected[i][j] += gradient.data[at] * x[k].data[j];
            expected[k][j] += gradient.data[at] * x[i].data[j];
          }
        }
      }
    }
    for (const [i, { data }] of gradients.entries()) allClose(t, data, expected[i], 1e-6);
  });

  test(`${name}: the interaction refuses shapes that do not fit before it writes`, async (t) => {
    const [a, b, c] = [of([2, 3], []), of([2, 3], []), of([3, 3], [])];
    const out = of([2, 4], new Float32Array(8).fill(7));
    await rejectsCode(
      t,
      "E_SHAPE",
      kernels.dotInteraction([a, c], true, out),
      /vector 1 has shape \[3,3\], \[2,3\] was expected/,
    );
    await rejectsCode(t, "E_SHAPE", kernels.dotInteraction([a, b], false, out), /the result has shape \[2,1\], not \[2,4\]/);
    await rejectsCode(t, "E_SHAPE", kernels.dotInteraction([], false, out), /at least one/);
    await rejectsCode(t, "E_SHAPE", kernels.dotInteraction([a.reshape([6]), b], true, out), /two axes/);
    const targets = [of([2, 3], new Float32Array(6).fill(7)), c];
    await rejectsCode(t, "E_SHAPE", kernels.dotInteractionBackward([a, b], true, out, targets), /gradient 1 has shape/);
    await rejectsCode(t, "E_SHAPE", kernels.dotInteractionBackward([a, b], true, out, [a]), /there are 1 gradients/);
    b.dispose();
    await rejectsCode(t, "E_DISPOSED", kernels.dotInteraction([a, b], true, out));
    await rejectsCode(t, "E_DISPOSED", kernels.dotInteractionBackward([a, b], true, out, [targets[0], of([2, 3], [])]));
    t.deepEqual([...out.data, ...targets[0].data], new Array(14).fill(7));
  });
}

for (const crew of crews) {
  test(`interactions have the same bits on ${crew.map(({ name }) => name).join(", ")}`, async (t) => {
    const [results, rows]: [Float32Array[][], Float32Array[]] = [[], []];
    for (const { kernels, normal, of } of crew) {
      const rng = createRng(12);
      const x = Array.from({ length: 27 }, () => normal(rng, [1031, 13]));
      const [out, gradients] = [of([1031, 364], []), x.map(() => of([1031, 13], []))];
      // Threads that got in each other's way would not do so each time.
      for (let round = 0; round < 5; round++) {
        await kernels.dotInteraction(x, true, out);
        rows.push(out.data.slice());
      }
      await kernels.dotInteractionBackward(x, true, out, gradients);
      results.push(gradients.map(({ data }) => data));
    }
    for (const result of results) t.deepEqual(result, results[0]);
    for (const row of rows) t.deepEqual(row, rows[0]);
  });
}
