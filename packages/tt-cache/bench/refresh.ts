import type { Runtime } from "@tt-rec/tensor";
import { alignColumns, describeMachine, describeSource, saveResults } from "@tt-rec/testing";
import type { Bags } from "@tt-rec/tt-kernels";
import { CachedTTEmbeddingBag, type CachePolicyName } from "../src/index.ts";
import { batchesOf, ROWS, step, tableOf, WORKLOAD } from "./steps.ts";
import { drawTrace } from "./traces.ts";

const STEPS = 6000;
/** Steps that are not counted: in the first refreshes, of which a small cache has one in 50 steps, the engine still compiles. */
const WARMUP = 3000;
/** A large cache needs more steps to choose its rows and to take them. */
const refreshEvery = (cacheRows: number): number => Math.max(50, Math.round(cacheRows / 500));
const BATCH = 2048;

/** What refreshes add to steps, against the median step without one, on ids of a power law that drift. */
export async function measureRefreshes(runtime: Runtime): Promise<void> {
  const source = { machine: describeMachine("off"), commit: describeSource(), date: new Date().toISOString() };
  const trace = drawTrace({ rows: ROWS, lookups: STEPS * BATCH, exponent: 1.05, drift: 0.3, hot: 20_000, period: 100 * BATCH });
  const batches = batchesOf(trace, 1);
  const table = [
    ["policy", "rows cached", "median step, ms", "choosing adds", "90 %", "longest", "entering adds", "90 %", "longest"],
  ];
  for (const policy of ["resident", "semi-dynamic"] as const satisfies readonly CachePolicyName[]) {
    for (const cacheRows of [1013, 10_131, 101_312]) {
      const { choosing, entering, plain } = await timeSteps(runtime, policy, cacheRows, batches);
      const step = quantile(plain, 0.5);
      const [usual, most, longest] = [0.5, 0.9, 1].map((q) => quantile(choosing, q));
      const [usualEntering, mostEntering, longestEntering] = [0.5, 0.9, 1].map((q) => quantile(entering, q));
      const times = [step, usual, most, longest, usualEntering, mostEntering, longestEntering];
      table.push([policy, String(cacheRows), ...times.map((ms) => (Number.isNaN(ms) ? "–" : ms.toPrecision(3)))]);
      await saveResults([
        {
          id: `cache-refresh/${policy}/C${cacheRows}`,
          case: { ...WORKLOAD, ranks: 16, cacheRows, refreshEvery: refreshEvery(cacheRows), exponent: 1.05, drift: 0.3 },
          ...{ engine: runtime.kernels.engine, phase: "refresh", unit: "ms", median: usual, runs: choosing.length },
          ...{ p10: quantile(choosing, 0.1), p90: most, longest, usualEntering, mostEntering, longestEntering },
          ...{ rival: "a step", ratio: step / usual, target: 1 },
          ...source,
        },
      ]);
    }
  }
  console.log(alignColumns(table));
}

/** Milliseconds that refreshes take in steps that choose rows and in those in which rows enter, and of whole steps without either. */
async function timeSteps(
  runtime: Runtime,
  policy: CachePolicyName,
  cacheRows: number,
  batches: readonly Bags[],
): Promise<{ readonly choosing: number[]; readonly entering: number[]; readonly plain: number[] }> {
  const bag = new CachedTTEmbeddingBag(runtime, {
    ...tableOf(16),
    cacheRows,
    policy,
    warmupSteps: 10,
    refreshEvery: refreshEvery(cacheRows),
  });
  const times = { choosing: [] as number[], entering: [] as number[], plain: [] as number[] };
  for (const [i, bags] of batches.entries()) {
    const before = bag.metrics;
    const start = performance.now();
    await step(runtime, bag, bags);
    const ms = performance.now() - start;
    const after = bag.metrics;
    if (i < WARMUP) continue;
    const refresh = after.refreshMilliseconds - before.refreshMilliseconds;
    if (after.loadedRows > before.loadedRows) times.entering.push(refresh);
    else if (refresh > 0) times.choosing.push(refresh);
    else times.plain.push(ms);
  }
  bag.dispose();
  return times;
}

function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
