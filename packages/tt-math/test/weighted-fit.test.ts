import { createRng } from "@tt-rec/tensor";
import test from "ava";
import fc from "fast-check";
import { createTTShape, initializeCores, type TTCores, toDense, ttSvd, weightedFit } from "../src/index.ts";

const RUNS = process.env.TT_REC_LONG ? 100 : 15;

/** Weighted relative error with the documented weights, from the definition. */
function weightedError(tt: TTCores, table: Float32Array, counts: ArrayLike<number>): number {
  const dense = toDense(tt);
  const { numEmbeddings, embeddingDim } = tt.shape;
  const mean = Array.from(counts).reduce((a, b) => a + b, 0) / numEmbeddings;
  let [error, norm] = [0, 0];
  for (let i = 0; i < table.length; i++) {
    const weight = counts[Math.floor(i / embeddingDim)] / mean + 0.1;
    error += weight * (dense[i] - table[i]) ** 2;
    norm += weight * table[i] ** 2;
  }
  return Math.sqrt(error / norm);
}

const zipf = (rows: number, seed: number): Float64Array => {
  const rng = createRng(seed);
  return Float64Array.from({ length: rows }, () => Math.floor(1 / (rng.uniform() + 1e-3)));
};

const shapes = fc.constantFrom<{ rowShape: number[]; columnShape: number[] }[]>(
  { rowShape: [11, 13], columnShape: [2, 3] },
  { rowShape: [5, 7, 6], columnShape: [2, 3, 2] },
  { rowShape: [3, 5, 4, 3], columnShape: [2, 1, 3, 2] },
);

test("the fit never gets worse, states its error, and beats the unweighted decomposition where accesses are skewed", (t) => {
  fc.assert(
    fc.property(
      shapes,
      fc.nat(),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 9 }),
      (factors, seed, maxRank, missing) => {
        const numEmbeddings = factors.rowShape.reduce((a, b) => a * b) - missing;
        const embeddingDim = factors.columnShape.reduce((a, b) => a * b);
        const rng = createRng(seed);
        const table = Float32Array.from({ length: numEmbeddings * embeddingDim }, () => rng.normal());
        const counts = zipf(numEmbeddings, seed);
        const start = ttSvd(table, { ...factors, numEmbeddings, maxRank });
        const errors: number[] = [weightedError(start, table, counts)];
        const found = weightedFit(table, counts, start, { onSweep: (_, error) => void errors.push(error) });
        t.deepEqual(found.shape, start.shape);
        for (let i = 1; i < errors.length; i++) t.true(errors[i] <= errors[i - 1] + 1e-6, `${errors}`);
        t.is(found.sweeps, errors.length - 1);
        t.true(Math.abs(found.weightedError - weightedError(found, table, counts)) < 1e-5);
        t.true(errors[errors.length - 1] < errors[0]);
      },
    ),
    { numRuns: RUNS },
  );
});

test("a table of the asked rank stays exact, and is found again from other cores", (t) => {
  const factors = { rowShape: [5, 7, 6], columnShape: [2, 3, 2] };
  const shape = createTTShape({ numEmbeddings: 205, embeddingDim: 12, ...factors, ranks: 3 });
  const draw = (seed: number): TTCores => ({
    shape,
    cores: initializeCores(shape, createRng(seed), { kind: "gaussian", standardDeviation: 1 }),
  });
  const table = toDense(draw(1));
  const counts = zipf(205, 3);
  t.true(weightedFit(table, counts, draw(1)).weightedError < 1e-6);
  t.true(weightedFit(table, counts, draw(2), { sweeps: 200 }).weightedError < 0.3);
});

test("rows that are hardly looked up give way to those that are", (t) => {
  const factors = { rowShape: [8, 9], columnShape: [2, 2] };
  const rng = createRng(9);
  const table = Float32Array.from({ length: 72 * 4 }, () => rng.normal());
  const counts = Float64Array.from({ length: 72 }, (_, row) => (row % 9 === 0 ? 1000 : 0));
  const start = ttSvd(table, { ...factors, numEmbeddings: 72, maxRank: 3 });
  const hot = (tt: TTCores): number =>
    toDense(tt).reduce((sum, value, i) => sum + (counts[Math.floor(i / 4)] > 0 ? (value - table[i]) ** 2 : 0), 0);
  t.true(hot(weightedFit(table, counts, start)) < 0.2 * hot(start));
});

test("without accesses all rows count alike, and a table of zeros is met", (t) => {
  const factors = { rowShape: [8, 9], columnShape: [2, 2] };
  const rng = createRng(9);
  const table = Float32Array.from({ length: 72 * 4 }, () => rng.normal());
  const start = ttSvd(table, { ...factors, numEmbeddings: 72, maxRank: 3 });
  // Two cores: the truncated SVD is the best fit already.
  const found = weightedFit(table, new Float64Array(72), start);
  t.true(Math.abs(found.weightedError - start.relativeError) < 1e-6);
  const zeros = new Float32Array(72 * 4);
  t.is(weightedFit(zeros, zipf(72, 1), ttSvd(zeros, { ...factors, numEmbeddings: 72 })).weightedError, 0);
});

test("what does not fit together is refused", (t) => {
  const factors = { rowShape: [8, 9], columnShape: [2, 2] };
  const table = new Float32Array(70 * 4).fill(1);
  const counts = new Float64Array(70).fill(1);
  const start = ttSvd(table, { ...factors, numEmbeddings: 70, maxRank: 3 });
  t.throws(() => weightedFit(table.subarray(4), counts, start), { code: "E_SHAPE" });
  t.throws(() => weightedFit(table, counts.subarray(1), start), {
    code: "E_SHAPE",
    message: "there are 69 counts for the 70 rows of the table",
  });
  t.throws(() => weightedFit(table, counts.with(3, -1), start), {
    code: "E_OPTION",
    message: "counts[3] = -1 is not a finite number of at least 0",
  });
  t.throws(() => weightedFit(table.with(9, Number.NaN), counts, start), {
    code: "E_NONFINITE",
    message: "row 2 of the table is not finite",
  });
  t.throws(() => weightedFit(table, counts, start, { sweeps: 0 }), { code: "E_OPTION" });
});
