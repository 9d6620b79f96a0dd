import { createRng } from "@tt-rec/tensor";
import { allClose, denseFromCores } from "@tt-rec/testing";
import test from "ava";
import fc from "fast-check";
import { Matrix } from "ml-matrix";
import { coreShape, createTTShape, orthogonalize, roundTT, type TTCores, ttSvd } from "../src/index.ts";

const RUNS = process.env.TT_REC_LONG ? 300 : 40;

interface Factors {
  rowShape: number[];
  columnShape: number[];
}

const trains = fc
  .constantFrom<Factors[]>(
    { rowShape: [5, 3], columnShape: [2, 7] },
    { rowShape: [3, 5, 7], columnShape: [2, 3, 2] },
    { rowShape: [2, 3, 2, 5], columnShape: [3, 1, 2, 2] },
    { rowShape: [2, 2, 3, 2, 2], columnShape: [1, 2, 1, 3, 2] },
  )
  .chain((factors) => fc.record({ factors: fc.constant(factors), rank: fc.integer({ min: 1, max: 9 }), seed: fc.nat() }));

/** Random cores whose directions fade, so that truncation has something to drop. */
function draw(factors: Factors, rank: number, seed: number): TTCores {
  const product = (list: number[]): number => list.reduce((a, b) => a * b);
  const shape = createTTShape({
    numEmbeddings: product(factors.rowShape),
    embeddingDim: product(factors.columnShape),
    ...factors,
    ranks: rank,
  });
  const rng = createRng(seed);
  const cores = factors.rowShape.map((_, k) => {
    const [p, left, q, right] = coreShape(shape, k);
    return Float32Array.from({ length: p * left * q * right }, (_, at) => rng.normal() * 0.5 ** (at % right));
  });
  return { shape, cores };
}

const dense = ({ shape, cores }: TTCores): Float64Array =>
  Float64Array.from(denseFromCores(cores, shape.rowShape, shape.columnShape, shape.ranks));
const norm = (x: Float64Array): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));

/** A core as a matrix [r·p·q, r'], or [r, p·q·r'] of its rows. */
function unfold({ shape, cores }: TTCores, k: number, side: "columns" | "rows"): Matrix {
  const [p, left, q, right] = coreShape(shape, k);
  const [rows, columns] = side === "columns" ? [left * p * q, right] : [left, p * q * right];
  const matrix = Matrix.zeros(rows, columns);
  for (let at = 0; at < cores[k].length; at++) {
    const [b, j] = [at % right, Math.floor(at / right) % q];
    const [a, i] = [Math.floor(at / (right * q)) % left, Math.floor(at / (right * q * left))];
    if (side === "columns") matrix.set((a * p + i) * q + j, b, cores[k][at]);
    else matrix.set(a, (i * q + j) * right + b, cores[k][at]);
  }
  return matrix;
}

test("orthogonalized cores give the same table, with orthonormal cores around the center", (t) => {
  fc.assert(
    fc.property(trains, fc.nat({ max: 4 }), ({ factors, rank, seed }, at) => {
      const tt = draw(factors, rank, seed);
      const center = at % tt.cores.length;
      const found = orthogonalize(tt, center);
      allClose(t, dense(found), dense(tt), 2e-6);
      for (let k = 0; k < tt.cores.length; k++) {
        if (k === center) continue;
        const matrix = unfold(found, k, k < center ? "columns" : "rows");
        const gram = k < center ? matrix.transpose().mmul(matrix) : matrix.mmul(matrix.transpose());
        allClose(t, gram.to1DArray(), Matrix.eye(gram.rows).to1DArray(), 1e-6);
      }
      const whole = norm(dense(tt));
      t.true(Math.abs(norm(Float64Array.from(found.cores[center])) - whole) < 1e-5 * whole);
    }),
    { numRuns: RUNS },
  );
});

test("a rounded table keeps its error bound, states its error, and needs the ranks of the SVD of the whole table", (t) => {
  fc.assert(
    fc.property(trains, fc.constantFrom(0.5, 0.1, 1e-2, 1e-4), ({ factors, rank, seed }, epsilon) => {
      const tt = draw(factors, rank, seed);
      const table = dense(tt);
      const found = roundTT(tt, { epsilon });
      const error = norm(dense(found).map((value, i) => value - table[i])) / norm(table);
      t.true(found.relativeError <= epsilon * (1 + 1e-12));
      t.true(Math.abs(error - found.relativeError) < 3e-6, `${error} measured, ${found.relativeError} stated`);
      const { numEmbeddings } = tt.shape;
      t.deepEqual(found.shape.ranks, ttSvd(table, { numEmbeddings, ...factors, epsilon }).shape.ranks);
    }),
    { numRuns: RUNS },
  );
});

test("the bound is tight: one rank less at any bond breaks its share of the error", (t) => {
  const tt = draw({ rowShape: [5, 7, 3], columnShape: [2, 3, 2] }, 9, 4);
  const epsilon = 0.05;
  const { ranks } = roundTT(tt, { epsilon }).shape;
  for (const bond of [1, 2]) {
    const maxRank = ranks.slice(1, -1).map((rank, k) => (k + 1 === bond ? rank - 1 : rank));
    t.true(roundTT(tt, { maxRank }).relativeError > epsilon / Math.SQRT2);
  }
});

test("ranks that nothing needs are found to be unneeded, and a rank bound binds", (t) => {
  const small = draw({ rowShape: [3, 5, 7], columnShape: [2, 3, 2] }, 3, 8);
  // The same table twice: cores with blocks, of rank 6.
  const { rowShape, columnShape, numEmbeddings, embeddingDim } = small.shape;
  const shape = createTTShape({ numEmbeddings, embeddingDim, rowShape, columnShape, ranks: 6 });
  const cores = small.cores.map((core, k) => {
    const [p, left, q, right] = coreShape(shape, k);
    const [, l, , r] = coreShape(small.shape, k);
    const doubled = new Float32Array(p * left * q * right);
    for (let i = 0; i < p; i++)
      for (let a = 0; a < left; a++)
        for (let j = 0; j < q; j++)
          for (let b = 0; b < right; b++) {
            const same = k === 0 || k === 2 || Math.floor(a / l) === Math.floor(b / r);
            doubled[((i * left + a) * q + j) * right + b] = same ? core[((i * l + (a % l)) * q + j) * r + (b % r)] : 0;
          }
    return doubled;
  });
  const found = roundTT({ shape, cores }, {});
  t.deepEqual(found.shape.ranks, small.shape.ranks);
  allClose(
    t,
    dense(found),
    dense(small).map((value) => 2 * value),
    1e-6,
  );
  t.deepEqual(roundTT({ shape, cores }, { maxRank: [2, 1] }).shape.ranks, [1, 2, 1, 1]);
});

test("what cannot be rounded is refused", (t) => {
  const tt = draw({ rowShape: [3, 5, 7], columnShape: [2, 3, 2] }, 3, 8);
  const broken = { ...tt, cores: tt.cores.map((core, k) => (k === 1 ? core.with(5, Number.NaN) : core)) };
  t.throws(() => roundTT(broken, {}), { code: "E_NONFINITE", message: "cores[1][5] = NaN is not finite" });
  t.throws(() => roundTT(tt, { epsilon: 2 }), { code: "E_OPTION" });
  t.throws(() => orthogonalize(tt, 3), { code: "E_OPTION", message: "center = 3 is not an integer from 0 to 2" });
});
