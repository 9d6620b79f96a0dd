import "@tt-rec/testing/relaxed-simd";
import { createRng, Runtime, type UpdateRule } from "@tt-rec/tensor";
import { type BenchmarkResult, report, runBenchmark, saveResults } from "@tt-rec/testing";
import { type Bags, DenseEmbeddingBag, type EmbeddingBag, TTEmbeddingBag } from "@tt-rec/tt-kernels";
import { createTTShape, initializeCores } from "@tt-rec/tt-math";
import { CachedTTEmbeddingBag } from "../src/index.ts";
import { measureHitRates } from "./hit-rates.ts";

/** The largest table of Criteo Kaggle, and 0.01 % of its rows. */
const ROWS = 10_131_227;
const CACHE_ROWS = 1013;
const DIM = 16;
const BATCH_SIZE = 2048;
/** Batches that a case goes through in turn, so that none stays in a cache. */
const BATCHES = 8;
const RULE: UpdateRule = { kind: "sgd", learningRate: 1e-6 };
const TRAINING = { training: true };
const NEVER = 2 ** 31;

const runtime = await Runtime.create();
const rng = createRng(11);
const outputGradient = Float32Array.from({ length: BATCH_SIZE * DIM }, rng.normal);
const shape = createTTShape({
  numEmbeddings: ROWS,
  embeddingDim: DIM,
  rowShape: [200, 220, 250],
  columnShape: [2, 2, 4],
  ranks: 16,
});
const cores = initializeCores(shape, createRng(2021), { kind: "sampled-gaussian", scaling: "variance-matched" });
const parameters = {
  rows: ROWS,
  embeddingDim: DIM,
  rowShape: "200x220x250",
  columnShape: "2x2x4",
  ranks: 16,
  batchSize: BATCH_SIZE,
};

/** One training step: plan, forward, backward, SGD. */
function step(bag: EmbeddingBag, bags: Bags): Promise<void> {
  return runtime.step(async () => {
    const plan = bag.plan(bags, TRAINING);
    const gradient = runtime.scratch((await bag.forward(plan)).shape);
    gradient.data.set(outputGradient.subarray(0, gradient.size));
    await bag.step(plan, gradient, RULE);
  });
}

/** Distinct ids all over the table; the first of them are the hot ones. */
function scatteredIds(count: number): Uint32Array {
  const ids = new Set<number>();
  while (ids.size < count) ids.add(Math.floor(rng.uniform() * ROWS));
  return Uint32Array.from(ids);
}

/** Batches of one id a bag, of which an exact share is hot. */
function drawBatches(hot: Uint32Array, share: number): Bags[] {
  const hits = Math.round(share * BATCH_SIZE);
  const cold = new Set(hot);
  const coldId = (): number => {
    let id = Math.floor(rng.uniform() * ROWS);
    while (cold.has(id)) id = Math.floor(rng.uniform() * ROWS);
    return id;
  };
  return Array.from({ length: BATCHES }, () => ({
    indices: Uint32Array.from({ length: BATCH_SIZE }, (_, i) => {
      const isHit = Math.floor(((i + 1) * hits) / BATCH_SIZE) > Math.floor((i * hits) / BATCH_SIZE);
      return isHit ? hot[Math.floor(rng.uniform() * hot.length)] : coldId();
    }),
  }));
}

function inTurn(bag: EmbeddingBag, batches: readonly Bags[]): () => Promise<void> {
  let next = 0;
  return () => step(bag, batches[next++ % batches.length]);
}

const hot = scatteredIds(CACHE_ROWS);
const cached = new CachedTTEmbeddingBag(runtime, { shape, cores, cacheRows: CACHE_ROWS, warmupSteps: 1, refreshEvery: NEVER });
await step(cached, { indices: hot });
const tt = new TTEmbeddingBag(runtime, { shape, cores });
const dense = new DenseEmbeddingBag(runtime, {
  numEmbeddings: ROWS,
  embeddingDim: DIM,
  // Pages that were never written share one page of zeros, and would be read too fast.
  initialize: (table) => table.fill(1e-3),
});

const results: BenchmarkResult[] = [];
for (const percent of [0, 50, 90, 100]) {
  const batches = drawBatches(hot, percent / 100);
  results.push(
    ...(await runBenchmark({
      id: `cache-step/R16/hit${percent}`,
      parameters: { ...parameters, cacheRows: CACHE_ROWS, hitRate: percent / 100 },
      phase: "step",
      rival: "vs-tt",
      rounds: 7,
      minRoundMs: 50,
      cases: [
        { name: "cached", engine: runtime.kernels.engine, run: inTurn(cached, batches) },
        { name: "dense", engine: runtime.kernels.engine, run: inTurn(dense, batches) },
        { name: "vs-tt", engine: runtime.kernels.engine, run: inTurn(tt, batches) },
      ],
    })),
  );
  const { hitRate } = cached.metrics;
  if (Math.abs(hitRate - percent / 100) > 1e-3) throw new Error(`the hit rate is ${hitRate}, not ${percent} %`);
}

// A step without lookups leaves nothing but the refresh. The rival is a whole step of the uncached bag.
const nothing: Bags = { indices: new Uint32Array(0) };
const cold = drawBatches(hot, 0);
for (const [cacheRows, seen] of [
  [CACHE_ROWS, 10_000],
  [CACHE_ROWS, 1_000_000],
  [10 * CACHE_ROWS, 1_000_000],
]) {
  const bag = new CachedTTEmbeddingBag(runtime, { shape, cores, cacheRows, warmupSteps: 1, refreshEvery: 1 });
  bag.plan({ indices: scatteredIds(seen) }, TRAINING);
  results.push(
    ...(await runBenchmark({
      id: `cache-refresh/R16/rows${cacheRows}/seen${seen}`,
      parameters: { ...parameters, cacheRows, idsSeen: seen },
      phase: "refresh",
      rival: "vs-tt-step",
      rounds: 5,
      minRoundMs: 50,
      cases: [
        { name: "refresh", engine: runtime.kernels.engine, run: () => step(bag, nothing) },
        { name: "vs-tt-step", engine: runtime.kernels.engine, run: inTurn(tt, cold) },
      ],
    })),
  );
  bag.dispose();
}

console.log(report(results));
console.log(
  `\nbytes: dense ${dense.bytes}, TT ${tt.bytes}, cached ${cached.bytes} of which cache and counters ${cached.metrics.bytes}`,
);
await saveResults(results);
await measureHitRates();
