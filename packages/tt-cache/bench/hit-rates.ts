import { alignColumns, describeMachine, describeSource, fbttPolicy, saveResults } from "@tt-rec/testing";
import { newCache } from "transitory";
import { resolvePolicy } from "../src/cache-policy.ts";
import { AccessCounter, type CachePolicy, type SimulationOptions, simulateCache } from "../src/index.ts";
import { CountMinCounter } from "./count-min-counter.ts";
import { hitsWithLookahead } from "./lookahead.ts";
import { beladyHits, lruHits, staticHits } from "./oracles.ts";
import { type Column, realColumns } from "./real-columns.ts";
import { drawTrace } from "./traces.ts";

const ROWS = 1_000_000;
const LOOKUPS = 4_000_000;
const BATCH = 2048;

const DRAWN = [
  { exponent: 0.9, drift: 0, cacheRows: 1000 },
  { exponent: 1.05, drift: 0, cacheRows: 1000 },
  { exponent: 1.05, drift: 0, cacheRows: 10_000 },
  { exponent: 1.2, drift: 0, cacheRows: 10_000 },
  { exponent: 1.05, drift: 0.3, cacheRows: 1000 },
  { exponent: 1.05, drift: 0.3, cacheRows: 10_000 },
  { exponent: 1.05, drift: 1, cacheRows: 1000 },
];

/** Share of the rows of a real column that its cache holds. */
const REAL_SHARE = 0.05;

const FBTT: CachePolicy = fbttPolicy(() => new AccessCounter());

/** Bytes of a sketch, and of the ids beside it, that take as much room as the default counters of a cache. */
const SKETCH_BYTES = 16;

/** `resident` on another counter. */
function residentBy(createCounter: CachePolicy["createCounter"]): CachePolicy {
  return { ...resolvePolicy("resident"), createCounter };
}

/** The paper's and the reference's cache: filled after 5 % of the trace, refreshed every 10 steps. */
function scheduleOf(steps: number): Pick<SimulationOptions, "warmupSteps" | "refreshEvery"> {
  return { warmupSteps: Math.max(1, Math.round(0.05 * steps)), refreshEvery: 10 };
}

/** Hits of the package `transitory`, whose cache is W-TinyLFU; it may hold 1 % more than it is told. */
function tinyLfuHits(trace: Uint32Array, capacity: number): number {
  const cache = newCache<number, boolean>().maxSize(capacity).build();
  let hits = 0;
  for (const row of trace) {
    if (cache.getIfPresent(row) === null) cache.set(row, true);
    else hits++;
  }
  return hits;
}

function hitsOf({ trace, rows, batchSize }: Column, cacheRows: number): Record<string, number> {
  const batches: Uint32Array[] = [];
  for (let at = 0; at < trace.length; at += batchSize) batches.push(trace.subarray(at, at + batchSize));
  const fixed = scheduleOf(batches.length);
  const simulated = (options: Omit<SimulationOptions, "cacheRows">): number =>
    simulateCache(batches, { ...options, cacheRows }).hits;
  const sketch = residentBy((capacity) => new CountMinCounter(SKETCH_BYTES * capacity, 2 * capacity));
  return {
    belady: beladyHits(trace, rows, cacheRows),
    "static best": staticHits(trace, rows, cacheRows),
    lru: lruHits(trace, cacheRows),
    "w-tinylfu": tinyLfuHits(trace, cacheRows),
    "semi-dynamic": simulated({ ...fixed, policy: "semi-dynamic" }),
    fbtt: simulated({ ...fixed, policy: FBTT }),
    resident: simulated({}),
    "exact counts": simulated({ policy: residentBy(() => new AccessCounter()) }),
    "count-min": simulated({ policy: sketch }),
    "10 ahead": hitsWithLookahead(batches, cacheRows, 10),
  };
}

/** Compares hit rates before deduplication, the cold start included, with rivals and with the best possible. */
export async function measureHitRates(): Promise<void> {
  const source = { machine: describeMachine("off"), commit: describeSource(), date: new Date().toISOString() };
  const table: string[][] = [];
  const measure = async (column: Column, cacheRows: number, parameters: object): Promise<void> => {
    const hits = hitsOf(column, cacheRows);
    const { name, trace } = column;
    if (table.length === 0) table.push(["trace", "rows", ...Object.keys(hits)]);
    table.push([name, String(cacheRows), ...Object.values(hits).map((count) => (count / trace.length).toFixed(4))]);
    console.error(table[table.length - 1].join("  "));
    await saveResults(
      Object.entries(hits).map(([engine, count]) => ({
        id: `cache-hits/${name.replaceAll(/,? /g, "-")}/C${cacheRows}/${engine.replaceAll(" ", "-")}`,
        case: { ...parameters, lookups: trace.length, cacheRows, batchSize: column.batchSize },
        ...{ engine, phase: "simulate", unit: "hit rate", median: count / trace.length, runs: 1 },
        ...(engine !== "belady" && { rival: "belady", ratio: count / hits.belady }),
        ...source,
      })),
    );
  };
  for (const { exponent, drift, cacheRows } of DRAWN) {
    const trace = drawTrace({ rows: ROWS, lookups: LOOKUPS, exponent, drift, hot: 20_000, period: 500_000 });
    const column = { name: `zipf ${exponent}, drift ${drift}`, trace, rows: ROWS, batchSize: BATCH };
    await measure(column, cacheRows, { rows: ROWS, exponent, drift });
  }
  for (const column of realColumns()) {
    await measure(column, Math.round(REAL_SHARE * column.rows), { rows: column.rows, data: column.name });
  }
  console.log(alignColumns(table));
}
