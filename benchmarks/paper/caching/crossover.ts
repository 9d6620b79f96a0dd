import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRng, type Rng, Runtime } from "@tt-rec/tensor";
import { quantile } from "@tt-rec/testing";
import { CachedTTEmbeddingBag } from "@tt-rec/tt-cache";
import type { Bags, EmbeddingBag } from "@tt-rec/tt-kernels";
import { lookupCall, randomCores, tableShape } from "../../common/lookup-call.ts";
import { TABLE } from "../../common/table.ts";
import type { FigureContext, Measurement } from "../harness/figure.ts";
import { type Case, cpuTimes, interleave, quotients } from "../harness/interleave.ts";
import { denseTable, ttTable } from "../harness/lookup-bags.ts";
import { TorchEmbeddingBag } from "./torch-embedding-bag.ts";

const BATCH = 2048;
/**
 * So many that a row that is not cached comes again after 2 million others of its kind, and is read from memory, as in training: with few
 * batches these rows of the uncompressed table stay in the processor's caches. At high hit rates, as many as memory bears.
 */
const BATCHES = 1024;
const MOST_BATCHES = 16 * BATCHES;
/** Rows of the cache: 0.01 % of the table, as in the paper. */
const CACHE_ROWS = 1013;
/** Cached rows lie so far apart. */
const APART = Math.floor(TABLE.rows / CACHE_ROWS);
const RANKS = { tiny: [16], quick: [16, 32], full: [8, 16, 32, 64] } as const;
const HIT_RATES = {
  tiny: [0, 0.9],
  quick: [0, 0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 1],
  full: [0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1],
} as const;
/** The columns as the paper splits them, and a split with fewer multiplications that learns as well. */
const COLUMNS = [
  [2, 2, 4],
  [1, 2, 8],
];
/** What PyTorch's bag is called. */
const TORCH = "PyTorch";
/** Steps between refreshes that none reaches. */
const NEVER = 2 ** 31;

/** Step times of cached bags at given hit rates, beside uncompressed bags, ours and PyTorch's, and TT bags without a cache on the same ids. */
export async function* crossover(context: FigureContext): AsyncGenerator<Measurement> {
  const runtime = await Runtime.create({ threads: 1 });
  const bags = new Map<string, EmbeddingBag>([["uncompressed", denseTable(runtime)]]);
  for (const ranks of RANKS[context.mode]) {
    bags.set(`TT, R = ${ranks}`, ttTable(runtime, ranks));
    for (const columns of COLUMNS) {
      const name = columns[0] === 1 ? `cached, R = ${ranks}, columns ${columns.join(" x ")}` : `cached, R = ${ranks}`;
      bags.set(name, await filledBag(runtime, ranks, columns));
    }
  }
  const folder = mkdtempSync(join(tmpdir(), "tt-rec-crossover-"));
  const torch = await TorchEmbeddingBag.start(folder);
  if (torch === undefined) context.progress("no PyTorch here: its bag is left out");
  try {
    for (const hitRate of HIT_RATES[context.mode]) yield* timesAt(hitRate, runtime, bags, torch, context);
  } finally {
    await torch?.close();
    rmSync(folder, { recursive: true });
  }
  await runtime.close();
}

async function* timesAt(
  hitRate: number,
  runtime: Runtime,
  bags: ReadonlyMap<string, EmbeddingBag>,
  torch: TorchEmbeddingBag | undefined,
  context: FigureContext,
): AsyncGenerator<Measurement> {
  const batches = drawAt(hitRate, createRng(context.seed));
  const cases = new Map<string, Case>();
  for (const [name, bag] of bags) cases.set(name, lookupCall(runtime, bag, batches, "step"));
  await torch?.load(batches);
  if (torch !== undefined) cases.set(TORCH, torch);
  const samples = await interleave(cases, context);
  const dense = cpuTimes(samples.get("uncompressed"));
  const rival = cpuTimes(samples.get(TORCH));
  for (const name of cases.keys()) {
    const times = cpuTimes(samples.get(name));
    yield {
      id: `crossover/${name.replaceAll(/[ ,]/g, "")}/H${Math.round(100 * hitRate)}`,
      case: { part: "crossover", name, hitRate, batchSize: BATCH, cacheRows: CACHE_ROWS, threads: 1 },
      ...{ engine: name === TORCH ? "PyTorch" : runtime.kernels.engine, phase: "step", unit: "ms", values: times },
      also: {
        timesSlower: quantile(quotients(times, dense), 0.5),
        ...(torch && { timesTorch: quantile(quotients(times, rival), 0.5) }),
      },
      data: `one id a bag, ${BATCH} bags, in a table of 10,131,227 × 16; the given share of ids uniform over ${CACHE_ROWS} cached rows all over the table, the others uniform over all; ${BATCHES} batches by the share of ids that are not cached, at most ${MOST_BATCHES}`,
    };
  }
}

/** A cached bag that holds the hot rows. */
async function filledBag(runtime: Runtime, ranks: number, columns: readonly number[]): Promise<CachedTTEmbeddingBag> {
  const shape = tableShape(ranks, columns);
  const schedule = { warmupSteps: 1, refreshEvery: NEVER };
  const bag = new CachedTTEmbeddingBag(runtime, { shape, cores: randomCores(shape), cacheRows: CACHE_ROWS, ...schedule });
  const indices = Uint32Array.from({ length: CACHE_ROWS }, (_, i) => i * APART);
  await lookupCall(runtime, bag, [{ indices }], "step")();
  // Rows enter in portions, one a step.
  const rest = lookupCall(runtime, bag, [{ indices: new Uint32Array(0) }], "step");
  while (bag.metrics.cachedRows < CACHE_ROWS) await rest();
  return bag;
}

function drawAt(hitRate: number, rng: Rng): Bags[] {
  const draw = (): number =>
    rng.uniform() < hitRate ? APART * Math.floor(rng.uniform() * CACHE_ROWS) : Math.floor(rng.uniform() * TABLE.rows);
  const batches = Math.min(MOST_BATCHES, Math.round(BATCHES / Math.max(1e-9, 1 - hitRate)));
  return Array.from({ length: batches }, () => ({ indices: Uint32Array.from({ length: BATCH }, draw) }));
}
