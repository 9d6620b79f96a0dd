import { createRng, type GemmLayout, type Rng, Runtime, type Tensor } from "@tt-rec/tensor";
import { allClose, finiteDifferences, throwsCode } from "@tt-rec/testing";
import test from "ava";
import fc from "fast-check";

const RUNS = process.env.TT_REC_LONG ? 2000 : 100;
const LAYOUTS: readonly GemmLayout[] = ["nn", "nt", "tn"];

const runtime = await Runtime.create();
const { kernels } = runtime;

function tensorOf(shape: readonly number[], values: ArrayLike<number>): Tensor {
  const tensor = runtime.tensor(shape);
  tensor.data.set(values);
  return tensor;
}

function normal(rng: Rng, shape: readonly number[]): Tensor {
  const tensor = runtime.tensor(shape);
  const { data } = tensor;
  for (let i = 0; i < data.length; i++) data[i] = rng.normal();
  return tensor;
}

function swapped([rows, columns]: readonly [number, number], swap: boolean): [number, number] {
  return swap ? [columns, rows] : [rows, columns];
}

/** The operands of a product whose result is m×n. */
function operands(rng: Rng, layout: GemmLayout, m: number, n: number, k: number): [Tensor, Tensor] {
  return [normal(rng, swapped([m, k], layout === "tn")), normal(rng, swapped([k, n], layout === "nt"))];
}

/** The product by its definition, in float64. */
function product(layout: GemmLayout, a: Float32Array, b: Float32Array, m: number, n: number, k: number): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      for (let p = 0; p < k; p++) {
        out[i * n + j] += a[layout === "tn" ? p * m + i : i * k + p] * b[layout === "nt" ? j * k + p : p * n + j];
      }
    }
  }
  return out;
}

const extents = fc
  .shuffledSubarray([1, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37], { minLength: 3, maxLength: 3 })
  .map(([m, n, k]) => ({ m, n, k }));

for (const layout of LAYOUTS) {
  test(`gemm ${layout} agrees with the definition, with bias and ReLU and without`, (t) => {
    fc.assert(
      fc.property(extents, fc.nat(), fc.boolean(), fc.boolean(), ({ m, n, k }, seed, withBias, relu) => {
        const rng = createRng(seed);
        const [a, b] = operands(rng, layout, m, n, k);
        const bias = normal(rng, [n]);
        // Whatever the result held before must not count.
        const out = normal(rng, [m, n]);
        kernels.gemm(layout, a, b, out, { relu, ...(withBias ? { bias } : {}) });
        const expected = product(layout, a.data, b.data, m, n, k)
          .map((value, i) => value + (withBias ? bias.data[i % n] : 0))
          .map((value) => (relu ? Math.max(0, value) : value));
        // Each of the k sums and the bias may be off by half a unit in the last place of what has been summed so far.
        const sums = product(layout, a.data.map(Math.abs), b.data.map(Math.abs), m, n, k);
        for (const [i, value] of expected.entries()) {
          const bound = (k + 1) * 2 ** -24 * (sums[i] + (withBias ? Math.abs(bias.data[i % n]) : 0));
          t.true(Math.abs(out.data[i] - value) <= bound, `element ${i} is ${out.data[i]}, expected ${value} within ${bound}`);
        }
      }),
      { numRuns: RUNS },
    );
  });

  test(`gemm ${layout} of empty extents gives no elements, or the bias where nothing is summed`, (t) => {
    const rng = createRng(3);
    for (const [m, n, k] of [
      [0, 3, 5],
      [2, 0, 5],
      [0, 0, 0],
    ]) {
      const out = runtime.tensor([m, n]);
      kernels.gemm(layout, ...operands(rng, layout, m, n, k), out);
      t.is(out.size, 0);
    }
    const out = tensorOf([2, 3], [9, 9, 9, 9, 9, 9]);
    kernels.gemm(layout, ...operands(rng, layout, 2, 3, 0), out);
    t.deepEqual([...out.data], [0, 0, 0, 0, 0, 0]);
    kernels.gemm(layout, ...operands(rng, layout, 2, 3, 0), out, { bias: tensorOf([3], [-1, 2, -3]), relu: true });
    t.deepEqual([...out.data], [0, 2, 0, 0, 2, 0]);
  });

  test(`gemm ${layout} refuses shapes that do not fit before it writes`, (t) => {
    const rng = createRng(4);
    const [m, n, k] = [2, 3, 5];
    const [a, b] = operands(rng, layout, m, n, k);
    const [otherA, otherB] = operands(rng, layout, m, n, 7);
    const out = tensorOf([m, n], [7, 7, 7, 7, 7, 7]);
    throwsCode(t, "E_SHAPE", () => kernels.gemm(layout, a, otherB, out), /the summed extents 5 and 7 differ/);
    throwsCode(t, "E_SHAPE", () => kernels.gemm(layout, otherA, b, out), /the summed extents 7 and 5 differ/);
    throwsCode(t, "E_SHAPE", () => kernels.gemm(layout, a.reshape([m * k]), b, out), /two axes/);
    throwsCode(t, "E_SHAPE", () => kernels.gemm(layout, a, b.reshape([1, k, n]), out), /two axes/);
    throwsCode(t, "E_SHAPE", () => kernels.gemm(layout, a, b, out.reshape([m * n])), /two axes/);
    throwsCode(t, "E_SHAPE", () => kernels.gemm(layout, a, b, out.reshape([n, m])), /the result has shape \[2,3\]/);
    throwsCode(t, "E_SHAPE", () => kernels.gemm(layout, a, b, out, { bias: normal(rng, [m]) }), /the bias has 2 elements/);
    t.deepEqual([...out.data], [7, 7, 7, 7, 7, 7]);
  });
}

test("gemm leaves the result alone if an operand is at its end of life", (t) => {
  const out = tensorOf([1, 1], [7]);
  for (const dead of [0, 1, 2]) {
    const [a, b, bias] = [[1, 2], [2, 1], [1]].map((shape) => runtime.tensor(shape));
    [a, b, bias][dead].dispose();
    throwsCode(t, "E_DISPOSED", () => kernels.gemm("nn", a, b, out, { bias }));
    t.is(out.data[0], 7);
  }
});

test("gemm hands NaN on, through ReLU too", (t) => {
  const out = runtime.tensor([1, 2]);
  kernels.gemm("nn", tensorOf([1, 1], [1]), tensorOf([1, 2], [Number.NaN, -1]), out, { relu: true });
  t.deepEqual([...out.data], [Number.NaN, 0]);
});

test("columnSums adds the rows", (t) => {
  const rng = createRng(5);
  const a = normal(rng, [13, 7]);
  const out = normal(rng, [7]);
  kernels.columnSums(a, out);
  const expected = Array.from({ length: 7 }, (_, j) => Array.from({ length: 13 }, (_, i) => a.data[i * 7 + j]));
  allClose(
    t,
    out.data,
    expected.map((column) => column.reduce((x, y) => x + y)),
    1e-6,
  );
  kernels.columnSums(runtime.tensor([0, 7]), out);
  t.deepEqual([...out.data], new Array(7).fill(0));
  kernels.columnSums(runtime.tensor([3, 0]), runtime.tensor([0]));
  throwsCode(t, "E_SHAPE", () => kernels.columnSums(a, runtime.tensor([13])), /\[13,7\] has 7 columns, the result 13 elements/);
  throwsCode(t, "E_SHAPE", () => kernels.columnSums(runtime.tensor([]), runtime.tensor([0])), /two axes/);
});

test("reluBackward stops the gradient where the output is not positive", (t) => {
  const gradient = tensorOf([5], [1, 2, 3, 4, 5]);
  kernels.reluBackward(tensorOf([5], [0, 1e-30, -1, -0, 9]), gradient);
  t.deepEqual([...gradient.data], [0, 2, 0, 0, 5]);
  throwsCode(t, "E_SHAPE", () => kernels.reluBackward(runtime.tensor([4]), gradient));
});

test("sigmoid neither overflows nor loses its small values", (t) => {
  const logits = tensorOf([7], [0, 100, -100, 1, -1, 1000, -1000]);
  const out = runtime.tensor([7]);
  kernels.sigmoid(logits, out);
  allClose(t, out.data, [0.5, 1, 0, 0.7310585786, 0.2689414214, 1, 0], 1e-7);
  allClose(t, [out.data[2] * 1e40], [3.720075976e-44 * 1e40], 0.02); // a subnormal float32 has few bits left
  kernels.sigmoid(logits, logits);
  allClose(t, logits.data, out.data, 0);
  throwsCode(t, "E_SHAPE", () => kernels.sigmoid(logits, runtime.tensor([6])));
});

test("binary cross-entropy gives the loss of a known example", (t) => {
  const labels = Float32Array.of(1, 0, 1, 0, 0, 1, 0, 1);
  const probabilities = [0.9, 0.8, 0.7, 0.7, 0.4, 0.3, 0.3, 0.1];
  const logits = tensorOf(
    [8, 1],
    probabilities.map((p) => Math.log(p / (1 - p))),
  );
  const gradient = runtime.tensor([8, 1]);
  allClose(t, [kernels.bceWithLogits(logits, labels, gradient)], [0.956188], 1e-6);
  allClose(
    t,
    gradient.data,
    probabilities.map((p, i) => (p - labels[i]) / 8),
    1e-6,
  );
});

test("binary cross-entropy is finite at logits of ±100", (t) => {
  const logits = tensorOf([4], [100, 100, -100, -100]);
  const gradient = runtime.tensor([4]);
  const loss = kernels.bceWithLogits(logits, Float32Array.of(1, 0, 1, 0), gradient);
  allClose(t, [loss], [50], 1e-12);
  allClose(t, gradient.data, [0, 0.25, -0.25, 0], 1e-12);
});

test("the gradient of the cross-entropy is that of finite differences, soft labels included", (t) => {
  const rng = createRng(6);
  const start = Float64Array.from({ length: 11 }, () => Math.fround(3 * rng.normal()));
  const labels = Float32Array.from({ length: 11 }, () => rng.uniform());
  const loss = (z: Float64Array): number =>
    -z.reduce((sum, x, i) => {
      const p = 1 / (1 + Math.exp(-x));
      return sum + labels[i] * Math.log(p) + (1 - labels[i]) * Math.log(1 - p);
    }, 0) / z.length;
  const gradient = runtime.tensor([11]);
  allClose(t, [kernels.bceWithLogits(tensorOf([11], start), labels, gradient)], [loss(start)], 1e-9);
  allClose(t, gradient.data, finiteDifferences(loss, start), 1e-6);
});

test("the cross-entropy of no samples is 0, and shapes that differ are refused before a write", (t) => {
  t.is(kernels.bceWithLogits(runtime.tensor([0]), new Float32Array(0), runtime.tensor([0])), 0);
  const gradient = tensorOf([2], [7, 7]);
  throwsCode(t, "E_SHAPE", () => kernels.bceWithLogits(runtime.tensor([2]), new Float32Array(3), gradient));
  throwsCode(t, "E_SHAPE", () => kernels.bceWithLogits(runtime.tensor([3]), new Float32Array(3), gradient));
  t.deepEqual([...gradient.data], [7, 7]);
});
