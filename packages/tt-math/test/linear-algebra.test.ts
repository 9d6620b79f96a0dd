import { createRng } from "@tt-rec/tensor";
import { allClose } from "@tt-rec/testing";
import test from "ava";
import fc from "fast-check";
import { Matrix, QrDecomposition, SingularValueDecomposition } from "ml-matrix";
import { ttSvd } from "../src/index.ts";
import { leftSingularVectors } from "../src/linear-algebra/left-singular-vectors.ts";
import { qr } from "../src/linear-algebra/qr.ts";

const RUNS = process.env.TT_REC_LONG ? 1000 : 100;

/** A product of two random factors: rank and conditioning as asked. */
function matrixOf(rows: number, columns: number, rank: number, decades: number, seed: number): Matrix {
  const rng = createRng(seed);
  const a = Float64Array.from({ length: rows * rank }, (_, at) => rng.normal() * 10 ** ((-decades * (at % rank)) / rank));
  const b = Float64Array.from({ length: rank * columns }, () => rng.normal());
  return Matrix.from1DArray(rows, rank, a).mmul(Matrix.from1DArray(rank, columns, b));
}

const anyMatrix = fc.record({
  rows: fc.integer({ min: 1, max: 41 }),
  columns: fc.integer({ min: 1, max: 41 }),
  rank: fc.integer({ min: 1, max: 41 }),
  decades: fc.constantFrom(0, 0, 3, 12, 200),
  seed: fc.nat(),
});

test("singular values are ml-matrix's within 1e-10 of the largest: random, deficient, tall, wide, ill-conditioned", (t) => {
  fc.assert(
    fc.property(anyMatrix, ({ rows, columns, rank, decades, seed }) => {
      const matrix = matrixOf(rows, columns, Math.min(rank, rows, columns), decades, seed);
      const { values } = leftSingularVectors(Float64Array.from(matrix.to1DArray()), rows, columns);
      allClose(t, values, new SingularValueDecomposition(matrix, { autoTranspose: true }).diagonal, 1e-10);
    }),
    { numRuns: RUNS },
  );
  for (const [rows, columns] of [
    [7, 3],
    [3, 7],
  ]) {
    t.true(leftSingularVectors(new Float64Array(21), rows, columns).values.every((value) => value === 0));
  }
});

test("a QR factorization reconstructs, is orthonormal and triangular, and has ml-matrix's diagonal", (t) => {
  fc.assert(
    fc.property(anyMatrix, ({ rows, columns, rank, decades, seed }) => {
      const matrix = matrixOf(rows, columns, Math.min(rank, rows, columns), Math.min(decades, 12), seed);
      const { q, r, size } = qr(Float64Array.from(matrix.to1DArray()), rows, columns);
      const [Q, R] = [Matrix.from1DArray(rows, size, q), Matrix.from1DArray(size, columns, r)];
      allClose(t, Q.mmul(R).to1DArray(), matrix.to1DArray(), 1e-13);
      allClose(t, Q.transpose().mmul(Q).to1DArray(), Matrix.eye(size).to1DArray(), 1e-13);
      for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) if (R.get(i, j) !== 0) t.fail();
      // The diagonal is well determined only where the columns are far from dependent.
      if (rows < 2 * columns || rank < columns || decades > 0) return;
      const oracle = new QrDecomposition(matrix).upperTriangularMatrix;
      const diagonal = (of: Matrix): number[] => Array.from({ length: size }, (_, i) => Math.abs(of.get(i, i)));
      allClose(t, diagonal(R), diagonal(oracle), 1e-12);
    }),
    { numRuns: RUNS },
  );
});

test("columns whose squares underflow are zero, and do not spoil the others", (t) => {
  const columns = [1e-161, 2, 3e-161, -1, 2e-161, 5];
  const { q, r, size } = qr(Float64Array.from(columns), 3, 2);
  const [Q, R] = [Matrix.from1DArray(3, size, q), Matrix.from1DArray(size, 2, r)];
  allClose(t, Q.transpose().mmul(Q).to1DArray(), [1, 0, 0, 1], 1e-13);
  allClose(t, Q.mmul(R).to1DArray(), columns, 1e-13);
});

test("no table of finite float32 numbers hangs, gives NaN, or exceeds its error: subnormal to largest", (t) => {
  const wild = fc.oneof(fc.float({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(0, 0, 1, -1, 1e-45, 3.4e38));
  fc.assert(
    fc.property(fc.array(wild, { minLength: 11 * 6, maxLength: 11 * 6 }), fc.constantFrom(0, 1e-3, 0.3), (list, epsilon) => {
      const matrix = Float32Array.from(list);
      const found = ttSvd(matrix, { numEmbeddings: 11, rowShape: [2, 3, 2], columnShape: [3, 1, 2], epsilon });
      t.true(found.cores.every((core) => core.every(Number.isFinite)));
      // Padding may be filled with numbers 5e5 times those of the table (the ridge of the fit), in whose rounding 1e-16 · 5e5 is lost.
      t.true(found.relativeError <= epsilon + 2e-10, `${found.relativeError}`);
    }),
    { numRuns: RUNS },
  );
});

test("a number that is not finite is refused by its name and place", (t) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const matrix = new Float32Array(12).fill(1);
    matrix[10] = bad;
    t.throws(() => ttSvd(matrix, { numEmbeddings: 3, rowShape: [2, 2], columnShape: [2, 2] }), {
      code: "E_NONFINITE",
      message: `matrix[10] = ${bad}, row 2, is not finite`,
    });
  }
});
