import { createRng, Runtime, readBytes } from "@tt-rec/tensor";
import { rejectsCode } from "@tt-rec/testing";
import test from "ava";
import {
  approximationError,
  createTTShape,
  encodeFloat16,
  initializeCores,
  type RowSource,
  rowsInFile,
  rowsInMemory,
  streamedTTSvd,
  type TTCores,
  toDense,
  ttSvd,
} from "../src/index.ts";

interface Case {
  rowShape: number[];
  columnShape: number[];
  missing: number;
}

const CASES: Case[] = [
  { rowShape: [23, 31], columnShape: [3, 5], missing: 11 },
  { rowShape: [19, 13, 17], columnShape: [2, 3, 2], missing: 0 },
  { rowShape: [19, 13, 17], columnShape: [2, 3, 2], missing: 300 },
  { rowShape: [11, 7, 5, 13], columnShape: [2, 1, 2, 3], missing: 500 },
];

/** A table of TT-rank 4 with noise of 1 %. */
function noisyTable({ rowShape, columnShape, missing }: Case): { table: Float32Array; numEmbeddings: number; dim: number } {
  const numEmbeddings = rowShape.reduce((a, b) => a * b) - missing;
  const dim = columnShape.reduce((a, b) => a * b);
  const shape = createTTShape({ numEmbeddings, embeddingDim: dim, rowShape, columnShape, ranks: 4 });
  const options = { kind: "sampled-gaussian", scaling: "variance-matched", standardDeviation: 1 } as const;
  const table = toDense({ shape, cores: initializeCores(shape, createRng(1), options) });
  const rng = createRng(2);
  for (let i = 0; i < table.length; i++) table[i] += 0.01 * rng.normal();
  return { table, numEmbeddings, dim };
}

const distance = (tt: TTCores, table: Float32Array): number => {
  const found = toDense(tt);
  let [error, norm] = [0, 0];
  for (let i = 0; i < table.length; i++) {
    error += (found[i] - table[i]) ** 2;
    norm += table[i] ** 2;
  }
  return Math.sqrt(error / norm);
};

test("the error is measured, within epsilon, and the ranks are those of the exact decomposition", async (t) => {
  const runtime = await Runtime.create();
  for (const one of CASES) {
    const { table, numEmbeddings, dim } = noisyTable(one);
    const goal = { rowShape: one.rowShape, columnShape: one.columnShape, epsilon: 0.025 };
    const found = await streamedTTSvd(runtime, rowsInMemory(table, dim), goal, createRng(3));
    const exact = ttSvd(table, { ...goal, numEmbeddings });
    t.deepEqual(found.shape, exact.shape);
    t.true(
      found.shape.ranks.every((rank) => rank <= 4),
      `${found.shape.ranks}`,
    );
    t.true(found.relativeError <= 0.025);
    t.true(Math.abs(found.relativeError - distance(found, table)) < 1e-6);
    t.true(found.relativeError < 1.001 * exact.relativeError);
  }
  await runtime.close();
});

test("a rank bound comes close to the exact decomposition, closer with power iterations on a flat spectrum", async (t) => {
  const runtime = await Runtime.create();
  const rng = createRng(5);
  const goal = { rowShape: [19, 13, 17], columnShape: [2, 3, 2], maxRank: 7 };
  const table = Float32Array.from({ length: 19 * 13 * 17 * 12 }, () => rng.normal());
  const exact = ttSvd(table, { ...goal, numEmbeddings: 19 * 13 * 17 }).relativeError;
  const excess: number[] = [];
  for (const powerIterations of [0, 4]) {
    const found = await streamedTTSvd(runtime, rowsInMemory(table, 12), { ...goal, powerIterations }, createRng(3));
    t.deepEqual(found.shape.ranks, [1, 7, 7, 1]);
    excess.push(found.relativeError / exact - 1);
  }
  t.true(excess[1] < excess[0] && excess[1] < 5e-3, `${excess}`);
  await runtime.close();
});

test("where a sketch misses too much, larger ones follow until epsilon is met", async (t) => {
  const runtime = await Runtime.create();
  const rng = createRng(5);
  const goal = { rowShape: [40, 9, 13], columnShape: [2, 2, 3], epsilon: 0.3 };
  const table = Float32Array.from({ length: 40 * 9 * 13 * 12 }, () => rng.normal());
  const found = await streamedTTSvd(runtime, rowsInMemory(table, 12), goal, createRng(3));
  t.true(found.shape.ranks[1] > 42);
  t.true(found.relativeError <= 0.3 && found.relativeError > 0.1);
  await runtime.close();
});

test("a file of float32 or float16 gives what memory gives, at any number of threads", async (t) => {
  const { table, numEmbeddings, dim } = noisyTable(CASES[2]);
  const goal = { rowShape: CASES[2].rowShape, columnShape: CASES[2].columnShape, epsilon: 0.025 };
  const shifted = (bytes: Uint8Array): Uint8Array => Uint8Array.from([1, 2, 3, 4, 5, 6, ...bytes]);
  const single = rowsInFile(readBytes(shifted(new Uint8Array(table.buffer))), {
    numEmbeddings,
    embeddingDim: dim,
    byteOffset: 6,
    dtype: "F32",
  });
  const half = rowsInFile(readBytes(new Uint8Array(encodeFloat16(table).buffer)), {
    numEmbeddings,
    embeddingDim: dim,
    byteOffset: 0,
    dtype: "F16",
  });
  const results = [];
  for (const threads of [1, 2]) {
    const runtime = await Runtime.create({ threads });
    for (const source of [rowsInMemory(table, dim), single])
      results.push(await streamedTTSvd(runtime, source, goal, createRng(3)));
    const rough = await streamedTTSvd(runtime, half, goal, createRng(3));
    t.deepEqual(rough.shape, results[0].shape);
    t.true(Math.abs(rough.relativeError - results[0].relativeError) < 1e-4);
    await runtime.close();
  }
  for (const other of results.slice(1)) t.deepEqual(other, results[0]);
});

test("progress counts the rows read, and is done at the end", async (t) => {
  const runtime = await Runtime.create();
  const { table, numEmbeddings, dim } = noisyTable(CASES[1]);
  const seen: [number, number][] = [];
  const onProgress = (read: number, all: number): void => void seen.push([read, all]);
  const { rowShape, columnShape } = CASES[1];
  await streamedTTSvd(runtime, rowsInMemory(table, dim), { rowShape, columnShape, maxRank: 4, onProgress }, createRng(3));
  t.deepEqual(seen.at(-1), [6 * numEmbeddings, 6 * numEmbeddings]);
  t.true(seen.every(([read], i) => i === 0 || read > seen[i - 1][0]));
  await runtime.close();
});

test("the error of given cores is measured on the rows of the table, plain and weighted", async (t) => {
  const runtime = await Runtime.create();
  const { table, numEmbeddings, dim } = noisyTable(CASES[3]);
  const { rowShape, columnShape } = CASES[3];
  const tt = ttSvd(table, { numEmbeddings, rowShape, columnShape, maxRank: 2 });
  const counts = Uint32Array.from({ length: numEmbeddings }, (_, i) => (i % 97 === 0 ? 50 : i % 3));
  const found = await approximationError(runtime, rowsInMemory(table, dim), tt, { counts });
  const dense = toDense(tt);
  let [error, norm] = [0, 0];
  for (let i = 0; i < table.length; i++) {
    error += counts[Math.floor(i / dim)] * (dense[i] - table[i]) ** 2;
    norm += counts[Math.floor(i / dim)] * table[i] ** 2;
  }
  t.true(Math.abs(found.relativeError - distance(tt, table)) < 1e-6);
  t.true(Math.abs((found.weightedError ?? 0) - Math.sqrt(error / norm)) < 1e-6);
  t.is((await approximationError(runtime, rowsInMemory(table, dim), tt)).weightedError, undefined);
  await rejectsCode(t, "E_SHAPE", approximationError(runtime, rowsInMemory(table, dim), tt, { counts: [1] }));
  await runtime.close();
});

test("bad tables and options are refused, with row and column", async (t) => {
  const runtime = await Runtime.create();
  const { table, dim } = noisyTable(CASES[1]);
  const { rowShape, columnShape } = CASES[1];
  const goal = { rowShape, columnShape, maxRank: 3 };
  const run = (source: RowSource, options: object) => () => streamedTTSvd(runtime, source, { ...goal, ...options }, createRng(1));
  await t.throwsAsync(run(rowsInMemory(table.with(12 * 1000 + 5, Number.NaN), dim), {}), {
    code: "E_NONFINITE",
    message: "row 1000, column 5 of the table is NaN",
  });
  await t.throwsAsync(run(rowsInMemory(table, dim), { epsilon: 1e-4 }), { code: "E_OPTION", message: /is below 0.001/ });
  await t.throwsAsync(() => streamedTTSvd(runtime, rowsInMemory(table, dim), { rowShape, columnShape }, createRng(1)), {
    code: "E_OPTION",
    message: "a streamed decomposition needs an epsilon or a maxRank",
  });
  await t.throwsAsync(run(rowsInMemory(table.subarray(0, 12 * 100), dim), {}), {
    code: "E_SHAPE",
    message: "a digit of the first core stands for 221 rows, the table has 100",
  });
  await t.throwsAsync(run(rowsInMemory(table, dim), { powerIterations: 0.5 }), { code: "E_OPTION" });
  t.throws(() => rowsInMemory(table.subarray(1), dim), { code: "E_SHAPE" });
  t.throws(() => rowsInFile(readBytes(new Uint8Array(100)), { numEmbeddings: 3, embeddingDim: 9, byteOffset: 0, dtype: "F32" }), {
    code: "E_CORRUPT",
  });
  await runtime.close();
});

test("a table of zeros becomes zero cores without an error", async (t) => {
  const runtime = await Runtime.create();
  const found = await streamedTTSvd(
    runtime,
    rowsInMemory(new Float32Array(19 * 13 * 17 * 12), 12),
    { rowShape: [19, 13, 17], columnShape: [2, 3, 2], epsilon: 0.1 },
    createRng(1),
  );
  t.deepEqual(found.shape.ranks, [1, 1, 1, 1]);
  t.is(found.relativeError, 0);
  t.true(toDense(found).every((value) => value === 0));
  await runtime.close();
});
