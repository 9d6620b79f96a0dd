import { createRng } from "@tt-rec/tensor";
import { denseFromCores } from "@tt-rec/testing";
import test from "ava";
import fc from "fast-check";
import { createTTShape, initializeCores, toDense, ttSvd } from "../src/index.ts";

const RUNS = process.env.TT_REC_LONG ? 300 : 40;

/** A table of given rank, without its last rows. */
function cutTable(rowShape: number[], columnShape: number[], rank: number, missing: number, seed: number) {
  const rows = rowShape.reduce((a, b) => a * b);
  const embeddingDim = columnShape.reduce((a, b) => a * b);
  const shape = createTTShape({ numEmbeddings: rows, embeddingDim, rowShape, columnShape, ranks: rank });
  const cores = initializeCores(shape, createRng(seed), { kind: "sampled-gaussian", scaling: "variance-matched" });
  const numEmbeddings = rows - missing;
  return { shape, numEmbeddings, matrix: toDense({ shape, cores }).subarray(0, numEmbeddings * embeddingDim) };
}

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let [squares, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    squares += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  return Math.sqrt(squares / norm);
};

test("a table cut off in the middle of a digit needs no larger ranks than the whole one", (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 5 * 7 * 11 - 5 * 7 }),
      fc.nat(),
      fc.integer({ min: 1, max: 5 }),
      (missing, seed, rank) => {
        const [rowShape, columnShape] = [
          [11, 7, 5],
          [2, 3, 2],
        ];
        // At least two first digits stay whole, so that their rows span the row space.
        const { numEmbeddings, matrix, shape } = cutTable(rowShape, columnShape, rank, Math.min(missing, 200), seed);
        const found = ttSvd(matrix, { numEmbeddings, rowShape, columnShape, epsilon: 1e-5 });
        for (const [bond, value] of found.shape.ranks.entries()) t.true(value <= shape.ranks[bond], `${found.shape.ranks}`);
        t.true(found.relativeError <= 1e-5);
        t.true(distance(toDense(found), matrix) < 1.2e-5);
      },
    ),
    { numRuns: RUNS },
  );
});

test("in float64 the ranks of a cut table come out to the last digit, without an epsilon", (t) => {
  const [rowShape, columnShape] = [
    [11, 7, 5],
    [2, 3, 2],
  ];
  for (const missing of [3, 31, 33, 100, 174]) {
    const { shape } = cutTable(rowShape, columnShape, 4, 0, missing);
    const cores = initializeCores(shape, createRng(missing), { kind: "gaussian" });
    const whole = Float64Array.from(denseFromCores(cores, rowShape, columnShape, shape.ranks));
    const numEmbeddings = 385 - missing;
    const found = ttSvd(whole.subarray(0, numEmbeddings * 12), { numEmbeddings, rowShape, columnShape });
    t.deepEqual(found.shape.ranks, [1, 4, 4, 1]);
    t.true(found.relativeError < 1e-11, `${found.relativeError}`);
  }
});

test("zeros in place of the padding would have raised the ranks", (t) => {
  const [rowShape, columnShape] = [
    [11, 7, 5],
    [2, 3, 2],
  ];
  const { numEmbeddings, matrix } = cutTable(rowShape, columnShape, 3, 31, 1);
  const whole = new Float32Array(11 * 7 * 5 * 12);
  whole.set(matrix);
  t.deepEqual(ttSvd(whole, { numEmbeddings: 385, rowShape, columnShape, epsilon: 1e-5 }).shape.ranks, [1, 5, 5, 1]);
  t.deepEqual(ttSvd(matrix, { numEmbeddings, rowShape, columnShape, epsilon: 1e-5 }).shape.ranks, [1, 3, 3, 1]);
});

test("rows of the cut digit that lie outside the others' space keep a direction, where the error asks for one", (t) => {
  const [rowShape, columnShape] = [
    [5, 3],
    [2, 2],
  ];
  const embeddingDim = 4;
  const numEmbeddings = 14;
  const matrix = new Float64Array(numEmbeddings * embeddingDim);
  // Four whole digits of rank 1, then two rows of another direction.
  for (let row = 0; row < 12; row++) matrix[row * embeddingDim] = 1;
  for (let row = 12; row < 14; row++) matrix[row * embeddingDim + 3] = 1 + row;
  const exact = ttSvd(matrix, { numEmbeddings, rowShape, columnShape });
  t.deepEqual(exact.shape.ranks, [1, 2, 1]);
  t.true(distance(toDense(exact), matrix) < 1e-6);
  const bounded = ttSvd(matrix, { numEmbeddings, rowShape, columnShape, maxRank: 1 });
  t.true(bounded.relativeError > 0.1 && bounded.relativeError <= 1);
  t.true(Math.abs(distance(toDense(bounded), matrix) - bounded.relativeError) < 1e-6);
});

test("a table smaller than one digit of the first core still keeps its error bound", (t) => {
  const rng = createRng(3);
  const matrix = Float64Array.from({ length: 17 * 6 }, () => rng.normal());
  const found = ttSvd(matrix, { numEmbeddings: 17, rowShape: [3, 5, 7], columnShape: [1, 3, 2], epsilon: 0.2 });
  t.true(found.relativeError <= 0.2);
  t.true(Math.abs(distance(toDense(found), matrix) - found.relativeError) < 1e-6);
});
