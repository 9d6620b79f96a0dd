import { alignColumns, describeMachine, describeSource, saveResults } from "@tt-rec/testing";
import { type CachePolicyName, simulateCache } from "../src/index.ts";
import { beladyHits, lruHits, staticHits } from "./oracles.ts";
import { drawTrace } from "./traces.ts";

const ROWS = 1_000_000;
const LOOKUPS = 4_000_000;
const BATCH = 2048;
/** The caches fill after 5 % of the trace, and refresh every 20,480 lookups. */
const SCHEDULE = { warmupSteps: Math.round((0.05 * LOOKUPS) / BATCH), refreshEvery: 10 };

const SETTINGS = [
  { exponent: 0.9, drift: 0, cacheRows: 1000 },
  { exponent: 1.05, drift: 0, cacheRows: 1000 },
  { exponent: 1.05, drift: 0, cacheRows: 10_000 },
  { exponent: 1.2, drift: 0, cacheRows: 10_000 },
  { exponent: 1.05, drift: 0.3, cacheRows: 1000 },
  { exponent: 1.05, drift: 0.3, cacheRows: 10_000 },
  { exponent: 1.05, drift: 1, cacheRows: 1000 },
];

function* batchesOf(trace: Uint32Array): Generator<Uint32Array> {
  for (let at = 0; at < trace.length; at += BATCH) yield trace.subarray(at, at + BATCH);
}

/** Compares hit rates before deduplication, the cold start included, with rivals and with the best possible. */
export async function measureHitRates(): Promise<void> {
  const source = { machine: describeMachine("off"), commit: describeSource(), date: new Date().toISOString() };
  const table = [["trace", "rows", "belady", "static best", "lru", "semi-dynamic", "resident", "resident early"]];
  for (const { exponent, drift, cacheRows } of SETTINGS) {
    const trace = drawTrace({ rows: ROWS, lookups: LOOKUPS, exponent, drift, hot: 20_000, period: 500_000 });
    const simulated = (policy: CachePolicyName, warmupSteps: number): number =>
      simulateCache(batchesOf(trace), { ...SCHEDULE, warmupSteps, policy, cacheRows }).hits;
    const hits: Readonly<Record<string, number>> = {
      belady: beladyHits(trace, ROWS, cacheRows),
      "static best": staticHits(trace, ROWS, cacheRows),
      lru: lruHits(trace, cacheRows),
      "semi-dynamic": simulated("semi-dynamic", SCHEDULE.warmupSteps),
      resident: simulated("resident", SCHEDULE.warmupSteps),
      "resident early": simulated("resident", 1),
    };
    const name = `zipf ${exponent}, drift ${drift}`;
    table.push([name, String(cacheRows), ...Object.values(hits).map((count) => (count / LOOKUPS).toFixed(4))]);
    await saveResults(
      Object.entries(hits).map(([engine, count]) => ({
        id: `cache-hits/s${exponent}/drift${drift}/C${cacheRows}/${engine.replace(" ", "-")}`,
        case: { rows: ROWS, lookups: LOOKUPS, exponent, drift, cacheRows, batchSize: BATCH, ...SCHEDULE },
        ...{ engine, phase: "simulate", unit: "hit rate", median: count / LOOKUPS, runs: 1 },
        ...(engine !== "belady" && { rival: "belady", ratio: count / hits.belady }),
        ...source,
      })),
    );
  }
  console.log(alignColumns(table));
}
