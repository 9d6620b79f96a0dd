import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  allClose,
  type BenchmarkResult,
  denseFromCores,
  finiteDifferences,
  gradientsOfCores,
  poolRows,
  randomBags,
  report,
  runBenchmark,
  saveResults,
  unpoolRows,
} from "@tt-rec/testing";
import test from "ava";
import { quantile } from "../src/statistics.ts";

function verdict(actual: number[], expected: number[], tolerance: number): string {
  let result = "nothing";
  allClose({ pass: () => (result = "passed"), fail: (message) => (result = message) }, actual, expected, tolerance);
  return result;
}

test("allClose measures against the largest expected element", (t) => {
  t.is(verdict([100, 1.5], [100, 1], 0.005), "passed");
  t.regex(verdict([100, 1.6], [100, 1], 0.005), /^element 1 is 1\.6, expected 1: 0\.006/);
  t.is(verdict([0, 0], [0, 0], 0), "passed");
});

test("allClose fails on NaN, on either side, and on another length", (t) => {
  t.regex(verdict([1, Number.NaN], [1, 2], 10), /^element 1 is NaN/);
  t.regex(verdict([1, 2], [1, Number.NaN], 10), /^element 1/);
  t.is(verdict([1], [1, 2], 10), "1 elements, expected 2");
});

test("finiteDifferences finds the gradient of a cubic", (t) => {
  const gradient = finiteDifferences(([x, y]) => x ** 3 * y, Float64Array.of(2, 5));
  allClose(t, gradient, [60, 8], 1e-7);
});

test("denseFromCores multiplies out two cores of rank 2 by hand", (t) => {
  // p = [2, 1], q = [1, 2], ranks [1, 2, 1]: row i1 is the vector G1[i1] times the 2×2 matrix G2.
  const table = denseFromCores(
    [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ],
    [2, 1],
    [1, 2],
    [1, 2, 1],
  );
  t.deepEqual([...table], [1 * 5 + 2 * 7, 1 * 6 + 2 * 8, 3 * 5 + 4 * 7, 3 * 6 + 4 * 8]);
});

test("gradientsOfCores and unpoolRows agree with finite differences of the table and of pooling", (t) => {
  const [rowShape, columnShape, ranks] = [
    [2, 3, 2],
    [2, 1, 3],
    [1, 3, 2, 1],
  ];
  const sizes = rowShape.map((p, k) => p * ranks[k] * columnShape[k] * ranks[k + 1]);
  const cores = sizes.map((size, k) => Float64Array.from({ length: size }, (_, i) => Math.sin(1 + i + 10 * k)));
  const bags = { indices: [11, 3, 11, 0], offsets: [0, 3, 3, 4], weights: [0.5, -2, 1, 3] };
  const gradient = Float64Array.from({ length: 18 }, (_, i) => Math.cos(i));
  for (const pooling of ["sum", "mean"] as const) {
    const loss = (all: readonly ArrayLike<number>[]): number =>
      poolRows(denseFromCores(all, rowShape, columnShape, ranks), 6, bags, pooling).reduce(
        (sum, x, i) => sum + x * gradient[i],
        0,
      );
    const actual = gradientsOfCores(cores, rowShape, columnShape, ranks, bags.indices, unpoolRows(gradient, 6, bags, pooling));
    for (const [k, core] of cores.entries()) {
      const expected = finiteDifferences((x) => loss(([...cores] as ArrayLike<number>[]).with(k, x)), core);
      allClose(t, actual[k], expected, 1e-7);
    }
  }
});

test("poolRows pools by the definition, and an empty bag gives zeros", (t) => {
  const table = [1, 2, 10, 20, 100, 200];
  const bags = { indices: [2, 0, 1], offsets: [0, 2, 2, 3], weights: [1, 2, 3] };
  t.deepEqual([...poolRows(table, 2, bags, "sum")], [102, 204, 0, 0, 30, 60]);
  t.deepEqual([...poolRows(table, 2, bags, "mean")], [51, 102, 0, 0, 30, 60]);
  t.deepEqual([...poolRows(table, 2, bags, "none")], [100, 200, 2, 4, 30, 60]);
});

test("randomBags stays within its bounds", (t) => {
  let state = 1;
  const uniform = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const { indices, offsets, weights } = randomBags(uniform, { numEmbeddings: 7, batchSize: 101, maxPooling: 3, skew: 1 });
  t.is(offsets.length, 102);
  t.is(offsets[101], indices.length);
  t.is(weights.length, indices.length);
  t.true(indices.every((id) => id < 7));
  t.true(offsets.subarray(1).every((end, bag) => end - offsets[bag] <= 3));
  t.true(
    offsets.subarray(1).some((end, bag) => end === offsets[bag]),
    "there are empty bags",
  );
});

test("quantile draws straight lines between neighbours", (t) => {
  t.is(quantile([4, 1, 3, 2], 0.5), 2.5);
  t.is(quantile([1, 2, 3], 0.1), 1.2);
  t.is(quantile([7], 0.9), 7);
  t.is(quantile([], 0.5), Number.NaN);
});

const spin = (ms: number) => () => {
  const end = performance.now() + ms;
  while (performance.now() < end);
};

async function measureSpins(): Promise<BenchmarkResult[]> {
  return runBenchmark({
    id: "spin",
    parameters: { of: "the clock" },
    cases: [
      { name: "slow", engine: "loop", run: spin(6), work: { amount: 6, unit: "turn" } },
      { name: "fast", engine: "loop", run: async () => spin(2)(), target: 2 },
    ],
    rival: "slow",
    rounds: 3,
    minRoundMs: 12,
  });
}

test.serial("runBenchmark compares a case with its rival, round by round", async (t) => {
  const [slow, fast] = await measureSpins();
  t.is(fast.id, "spin/fast");
  t.is(fast.unit, "ms");
  t.is(slow.unit, "turn/s");
  t.is(slow.ratio, undefined);
  t.is(fast.rival, "slow");
  t.is(fast.target, 2);
  t.is(fast.runs, 3);
  t.deepEqual(fast.case, { of: "the clock" });
  t.true(fast.p10 <= fast.median && fast.median <= fast.p90);
  const [low = 0, middle = 0, high = 0] = [fast.ratioMin, fast.ratio, fast.ratioMax];
  t.true(low <= middle && middle <= high);
  // The clock decides how long a spin lasts, so the ratio is 3 however busy the machine is, give or take a preemption.
  t.true(middle > 1.5 && middle < 6, `ratio ${middle}`);
  t.regex(fast.machine.simd, /^(relaxed|simd|none)$/);
});

test("a round in which other processes took too much does not count for ratios", async (t) => {
  const cases = ["a", "b"].map((name) => ({ name, engine: "loop", run: () => 1 }));
  const measure = { id: "x", cases, rival: "a", rounds: 2, minRoundMs: 1 };
  const [, none] = await runBenchmark({ ...measure, maxOtherCores: -1 });
  t.is(none.rival, "a");
  t.false("ratio" in none);
  const [, all] = await runBenchmark(measure);
  t.true("ratio" in all);
});

test("runBenchmark refuses two cases of one name, and a rival that is no case", async (t) => {
  const one = { name: "a", engine: "loop", run: () => 1 };
  await t.throwsAsync(runBenchmark({ id: "x", cases: [one, one] }), { message: /two cases are called a/ });
  await t.throwsAsync(runBenchmark({ id: "x", cases: [one], rival: "b" }), { message: /none of the cases a/ });
});

test.serial("report aligns its columns, and saveResults appends a JSON line a result", async (t) => {
  const results = await measureSpins();
  const lines = report(results).split("\n");
  t.is(lines.length, 3);
  t.is(lines[0].indexOf("engine"), lines[1].indexOf("loop"));
  const folder = await mkdtemp(join(tmpdir(), "tt-rec-testing-"));
  const before = process.env.BENCH_OUT;
  try {
    process.env.BENCH_OUT = join(folder, "results.jsonl");
    await saveResults(results);
    await saveResults(results.slice(1));
    const written = (await readFile(process.env.BENCH_OUT, "utf8")).trimEnd().split("\n");
    t.deepEqual(
      written.map((line) => JSON.parse(line).id),
      ["spin/slow", "spin/fast", "spin/fast"],
    );
  } finally {
    if (before === undefined) delete process.env.BENCH_OUT;
    else process.env.BENCH_OUT = before;
    await rm(folder, { recursive: true });
  }
});
