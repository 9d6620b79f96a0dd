import { createRng } from "@tt-rec/tensor";
import { allClose, denseFromCores } from "@tt-rec/testing";
import test from "ava";
import fc from "fast-check";
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { modeTensor } from "../src/decompose/mode-tensor.ts";
import { coreShape, createTTShape, initializeCores, type TTShape, toDense, ttSvd } from "../src/index.ts";
import { leftSingularVectors } from "../src/linear-algebra/left-singular-vectors.ts";

const RUNS = process.env.TT_REC_LONG ? 500 : 50;

// The integer example of the fact sheet; its last rank is one above what the bond can use, so it is written out.
const shape: TTShape = { numEmbeddings: 12, embeddingDim: 4, rowShape: [2, 3, 2], columnShape: [2, 2, 1], ranks: [1, 2, 3, 1] };
const table = Float64Array.of(
  ...[-33, 27, -35, 17, -6, -27, 6, -57, -2, -33, 18, -35, 57, -6, 27, 6, 36, -2, 36, 18, -6, 57, 6, 27],
  ...[25, -19, -33, 27, 3, 24, -6, -27, -1, 25, -2, -33, -39, 3, 57, -6, -27, -1, 36, -2, 3, -39, -6, 57],
);
const cores = [0, 1, 2].map((k) => {
  const [p, left, q, right] = coreShape(shape, k);
  return Float32Array.from({ length: p * left * q * right }, (_, at) => {
    const b = at % right;
    const j = Math.floor(at / right) % q;
    const a = Math.floor(at / (right * q)) % left;
    const i = Math.floor(at / (right * q * left));
    return ((3 * a + 5 * i + 2 * j + 4 * b + k) % 7) - 3;
  });
});

const frobenius = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((sum, value) => sum + value * value, 0));

test("the integer example's dense table is exact", (t) => {
  t.deepEqual(toDense({ shape, cores }), Float32Array.from(table));
});

test("the dense table equals the definition and leaves out the padding", (t) => {
  const rng = createRng(5);
  for (const [p, q] of [
    [
      [5, 3],
      [2, 7],
    ],
    [
      [3, 5, 2],
      [2, 3, 5],
    ],
    [
      [2, 3, 2, 5],
      [3, 1, 2, 2],
    ],
    [
      [2, 2, 3, 2, 2],
      [1, 2, 1, 3, 2],
    ],
  ]) {
    const rows = p.reduce((a, b) => a * b) - 3;
    const D = q.reduce((a, b) => a * b);
    const padded = createTTShape({ numEmbeddings: rows, embeddingDim: D, rowShape: p, columnShape: q, ranks: 4 });
    const drawn = initializeCores(padded, rng, { kind: "sampled-gaussian", scaling: "variance-matched" });
    const expected = denseFromCores(drawn, p, q, padded.ranks).subarray(0, rows * D);
    allClose(t, toDense({ shape: padded, cores: drawn }), expected, 1e-7);
  }
});

test("cores that do not fit their shape are refused", (t) => {
  t.throws(() => toDense({ shape, cores: cores.slice(1) }), { code: "E_SHAPE", message: "2 cores for a shape of 3" });
  t.throws(() => toDense({ shape, cores: [cores[0], cores[0], cores[2]] }), {
    code: "E_SHAPE",
    message: "cores[1] has 8 elements, [3,2,2,3] needs 36",
  });
});

test("the table goes into a given array of its size, and into no other", (t) => {
  const into = new Float32Array(shape.numEmbeddings * shape.embeddingDim);
  t.is(toDense({ shape, cores }, into), into);
  t.deepEqual(into, toDense({ shape, cores }));
  t.throws(() => toDense({ shape, cores }, into.subarray(1)), { code: "E_SHAPE" });
});

test("a table beyond memory is refused with its size", (t) => {
  const huge = createTTShape({ numEmbeddings: 4e9, embeddingDim: 1024, ranks: 1 });
  const ones = [0, 1, 2].map((k) => new Float32Array(coreShape(huge, k).reduce((a, b) => a * b)));
  t.throws(() => toDense({ shape: huge, cores: ones }), {
    code: "E_MEMORY",
    message: "the dense table of 4000000000 x 1024 needs 16384000000000 bytes",
  });
});

test("the integer example's unfoldings have the published singular values", (t) => {
  const tensor = modeTensor(table, shape.rowShape, shape.columnShape);
  t.true(Math.abs(frobenius(tensor) ** 2 - 38577) < 1e-9);
  const first = leftSingularVectors(tensor, 4, 12).values;
  const second = leftSingularVectors(tensor, 24, 2).values;
  allClose(t, first.subarray(0, 2), [189.913037, 50.100282], 3e-9);
  allClose(t, second, [153.783528, 122.178666], 3e-9);
  t.true(first[2] < 1e-12 && first[3] < 1e-12);
});

test("the integer example is exact at rank 2 and loses 129.943765 at rank 1", (t) => {
  const options = { numEmbeddings: 12, rowShape: shape.rowShape, columnShape: shape.columnShape };
  const norm = Math.sqrt(38577);
  for (const exact of [ttSvd(table, { ...options, maxRank: 2 }), ttSvd(table, options)]) {
    t.deepEqual(exact.shape.ranks, [1, 2, 2, 1]);
    // In float64; the cores themselves are rounded to float32.
    t.true(exact.relativeError * norm < 1e-12);
    allClose(t, toDense(exact), table, 2e-7);
  }
  const rough = ttSvd(table, { ...options, maxRank: 1 });
  t.deepEqual(rough.shape.ranks, [1, 1, 1, 1]);
  t.true(Math.abs(rough.relativeError * norm - 129.943765) < 1e-6);
  const dense = toDense(rough);
  t.true(Math.abs(frobenius(table.map((value, i) => value - dense[i])) - 129.943765) < 2e-5);
  t.deepEqual(ttSvd(table, { ...options, maxRank: [1, 2] }).shape.ranks, [1, 1, 2, 1]);
});

test("singular values and vectors agree with ml-matrix for wide, tall, deficient and graded matrices", (t) => {
  const rng = createRng(11);
  for (const [rows, columns, rank, decades] of [
    [7, 130, 7, 0],
    [131, 11, 11, 0],
    [23, 23, 23, 0],
    [13, 61, 5, 0],
    [67, 17, 3, 0],
    [19, 43, 19, 12],
    [43, 19, 19, 12],
    [1, 5, 1, 0],
    [5, 1, 1, 0],
  ]) {
    const a = Float64Array.from({ length: rows * rank }, (_, at) => rng.normal() * 10 ** ((-decades * (at % rank)) / rank));
    const b = Float64Array.from({ length: rank * columns }, () => rng.normal());
    const product = Matrix.from1DArray(rows, rank, a).mmul(Matrix.from1DArray(rank, columns, b));
    const flat = Float64Array.from(product.to1DArray());
    const { values, vectors } = leftSingularVectors(flat, rows, columns);
    const oracle = new SingularValueDecomposition(product, { autoTranspose: true });
    allClose(t, values, oracle.diagonal, 1e-13);
    const U = Matrix.from1DArray(values.length, rows, vectors(values.length));
    allClose(t, U.mmul(U.transpose()).to1DArray(), Matrix.eye(values.length).to1DArray(), 1e-13);
    // The rows of UᵀA are orthogonal and as long as the singular values.
    const projected = U.mmul(product);
    const gram = projected.mmul(projected.transpose());
    allClose(t, gram.to1DArray(), Matrix.diag([...values].map((value) => value * value)).to1DArray(), 1e-13);
  }
});

const primes: fc.Arbitrary<number> = fc.constantFrom(2, 3, 5, 7);
const shapes = fc.integer({ min: 2, max: 5 }).chain((d) => {
  const factors = (bound: number): fc.Arbitrary<number[]> =>
    fc.array(primes, { minLength: d, maxLength: d }).filter((list) => list.reduce((a, b) => a * b) <= bound);
  return fc.record({ rowShape: factors(300), columnShape: factors(120), seed: fc.nat(), missing: fc.nat({ max: 5 }) });
});

test("the error stays within epsilon, and is what it is said to be, for random tables of 2 to 5 cores", (t) => {
  fc.assert(
    fc.property(shapes, fc.constantFrom(0.5, 0.1, 1e-2, 1e-3), ({ rowShape, columnShape, seed, missing }, epsilon) => {
      const rng = createRng(seed);
      const rows = Math.max(1, rowShape.reduce((a, b) => a * b) - missing);
      const D = columnShape.reduce((a, b) => a * b);
      // A smooth table plus noise, so that truncation has something to drop.
      const matrix = Float64Array.from(
        { length: rows * D },
        (_, at) => Math.sin(at / 7) + Math.cos(at / D) + 0.02 * rng.normal(),
      );
      const {
        shape: found,
        cores: factors,
        relativeError,
      } = ttSvd(matrix, { numEmbeddings: rows, rowShape, columnShape, epsilon });
      t.true(relativeError <= epsilon * (1 + 1e-12), `${relativeError} > ${epsilon}`);
      const dense = denseFromCores(factors, rowShape, columnShape, found.ranks).subarray(0, matrix.length);
      const error = frobenius(dense.map((value, at) => value - matrix[at])) / frobenius(matrix);
      t.true(Math.abs(error - relativeError) < 1e-6, `${error} measured, ${relativeError} stated`);
    }),
    { numRuns: RUNS },
  );
});

test("the ranks of a table made of cores are found again", (t) => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 4 }), ({ rowShape, columnShape, seed }, rank) => {
      const numEmbeddings = rowShape.reduce((a, b) => a * b);
      const embeddingDim = columnShape.reduce((a, b) => a * b);
      const made = createTTShape({ numEmbeddings, embeddingDim, rowShape, columnShape, ranks: rank });
      const drawn = initializeCores(made, createRng(seed), { kind: "sampled-gaussian", scaling: "variance-matched" });
      const matrix = denseFromCores(drawn, rowShape, columnShape, made.ranks);
      const { shape: found, cores: factors, relativeError } = ttSvd(matrix, { numEmbeddings, rowShape, columnShape });
      t.deepEqual(found.ranks, made.ranks);
      t.true(relativeError < 1e-13);
      allClose(t, denseFromCores(factors, rowShape, columnShape, found.ranks), matrix, 1e-6);
    }),
    { numRuns: RUNS },
  );
});

test("a table of zeros becomes zero cores of rank 1 without an error", (t) => {
  const result = ttSvd(new Float32Array(12 * 4), {
    numEmbeddings: 12,
    rowShape: [2, 3, 2],
    columnShape: [2, 2, 1],
    epsilon: 0.1,
  });
  t.deepEqual(result.shape.ranks, [1, 1, 1, 1]);
  t.is(result.relativeError, 0);
  t.true(toDense(result).every((value) => value === 0));
});

test("options and tables that do not fit are refused", (t) => {
  const good = { numEmbeddings: 12, rowShape: [2, 3, 2], columnShape: [2, 2, 1] };
  const refused = (matrix: Float64Array, options: object, code: string, message: string): void => {
    t.throws(() => ttSvd(matrix, { ...good, ...options }), { code, message });
  };
  refused(table.subarray(1), {}, "E_SHAPE", "the matrix has 47 elements, 12 x 4 were expected");
  refused(table, { numEmbeddings: 13 }, "E_SHAPE", "rowShape 2 x 3 x 2 = 12 is less than numEmbeddings = 13");
  refused(table, { epsilon: 1 }, "E_OPTION", "epsilon = 1 is not in [0, 1)");
  refused(table, { epsilon: Number.NaN }, "E_OPTION", "epsilon = NaN is not in [0, 1)");
  refused(table, { maxRank: 0 }, "E_OPTION", "maxRank = 0 is not a positive integer");
  refused(table, { maxRank: [2] }, "E_SHAPE", "maxRank has 1 entries for 2 bonds");
  refused(table.with(7, Number.NaN), {}, "E_NONFINITE", "matrix[7] = NaN, row 1, is not finite");
  refused(table.with(7, 1e200), {}, "E_NONFINITE", "matrix[7] = 1e+200, row 1, is beyond float32, in which cores are stored");
});
