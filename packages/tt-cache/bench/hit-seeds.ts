import { alignColumns, describeMachine, describeSource, saveResults } from "@tt-rec/testing";
import { simulateCache } from "../src/index.ts";
import { staticHits } from "./oracles.ts";
import { drawTrace } from "./traces.ts";

const ROWS = 1_000_000;
const LOOKUPS = 4_000_000;
const BATCH = 2048;
const CACHE_ROWS = 10_000;
const SEEDS = [1, 2, 3, 4, 5];

/** How far `resident` is from its two lines on other seeds: its hit rate under drift, and what it is below the static choice without. */
export async function measureSeeds(): Promise<void> {
  const table = [["trace", "what", "mean", "least", "largest"]];
  const report = async (name: string, what: string, measure: (seed: number) => number): Promise<void> => {
    const values = Float64Array.from(SEEDS, measure).sort();
    const [least, largest] = [values[0], values[values.length - 1]];
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    table.push([name, what, ...[mean, least, largest].map((value) => value.toFixed(4))]);
    await saveResults([
      {
        id: `cache-seeds/${name.replaceAll(/,? /g, "-")}/C${CACHE_ROWS}`,
        case: { rows: ROWS, lookups: LOOKUPS, cacheRows: CACHE_ROWS, batchSize: BATCH, seeds: SEEDS.join(" "), what },
        ...{ engine: "resident", phase: "simulate", unit: "hit rate", median: mean, p10: least, p90: largest },
        ...{ runs: SEEDS.length, machine: describeMachine("off"), commit: describeSource(), date: new Date().toISOString() },
      },
    ]);
  };
  await report("zipf 1.05, drift 0.3", "hit rate, cold start counted", (seed) => {
    const batches = batchesOf(traceOf(1.05, 0.3, seed));
    return simulateCache(batches, { cacheRows: CACHE_ROWS }).hits / LOOKUPS;
  });
  for (const exponent of [1.05, 1.2]) {
    await report(`zipf ${exponent}, drift 0`, "below the static choice of the second half", (seed) => {
      const trace = traceOf(exponent, 0, seed);
      const batches = batchesOf(trace);
      const half = Math.floor(batches.length / 2);
      const [all, first] = [batches, batches.slice(0, half)].map((part) => simulateCache(part, { cacheRows: CACHE_ROWS }).hits);
      const second = trace.subarray(half * BATCH);
      return (staticHits(second, ROWS, CACHE_ROWS) - (all - first)) / second.length;
    });
  }
  console.log(alignColumns(table));
}

function traceOf(exponent: number, drift: number, seed: number): Uint32Array {
  return drawTrace({ rows: ROWS, lookups: LOOKUPS, exponent, drift, hot: 20_000, period: 500_000, seed });
}

function batchesOf(trace: Uint32Array): Uint32Array[] {
  return Array.from({ length: Math.ceil(trace.length / BATCH) }, (_, i) => trace.subarray(i * BATCH, (i + 1) * BATCH));
}
