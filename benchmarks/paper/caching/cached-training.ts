import type { Dataset } from "@tt-rec/criteo-loader";
import type { EmbeddingConfig } from "@tt-rec/dlrm";
import { Runtime } from "@tt-rec/tensor";
import { quantile } from "@tt-rec/testing";
import { BATCH_SIZE, criteoModel, OPTIMIZER } from "../harness/criteo-model.ts";
import type { FigureContext, Measurement } from "../harness/figure.ts";
import { type Trained, trainSeeds } from "../harness/train-model.ts";

const TT_TABLES = 7;
const RANKS = 16;
const SIZES = [0.00001, 0.0001, 0.001, 0.01];
const POLICIES = ["resident", "semi-dynamic"] as const;
/** Steps before a cache is filled, and between refreshes, as shares of an epoch; the first are those of the figure of sizes. */
const WARMUPS = [0.2, 0.05, 0.1, 0.4, 0.8];
const REFRESH = 0.2;
/** Share of rows that is cached where the warm-up changes. */
const WARMUP_SIZE = 0.01;

/** Trains with caches of several sizes and warm-up lengths; hit rates are over the whole training, warm-up included. */
export async function* cachedTraining(dataset: Dataset, data: string, context: FigureContext): AsyncGenerator<Measurement> {
  const seeds = Array.from({ length: context.mode === "tiny" ? 1 : 3 }, (_, i) => context.seed + i);
  const epoch = Math.ceil(dataset.rows("train") / BATCH_SIZE);
  const runtime = await Runtime.create({ threads: 1 });
  const run = async (id: string, parameters: Measurement["case"], embedding: (rows: number) => EmbeddingConfig) => {
    const config = criteoModel(dataset, TT_TABLES, embedding);
    const training = { config, optimizer: OPTIMIZER, batchSize: BATCH_SIZE, epochs: 1 };
    return measurement(id, parameters, data, await trainSeeds(runtime, dataset, training, seeds));
  };
  const cached =
    (share: number, warmup: number, policy: (typeof POLICIES)[number]) =>
    (rows: number): EmbeddingConfig => {
      const cacheRows = Math.max(1, Math.round(share * rows));
      const schedule = { warmupSteps: Math.ceil(warmup * epoch), refreshEvery: Math.ceil(REFRESH * epoch) };
      return { kind: "tt", ranks: RANKS, cache: { rows: cacheRows, policy, ...schedule } };
    };
  yield await run("none", { part: "size", share: 0, policy: "none" }, () => ({ kind: "tt", ranks: RANKS }));
  for (const policy of POLICIES) {
    for (const share of SIZES)
      yield await run(`size/${policy}/${share}`, { part: "size", share, policy }, cached(share, WARMUPS[0], policy));
  }
  for (const warmup of [...WARMUPS].sort()) {
    yield await run(`warmup/${warmup}`, { part: "warmup", share: WARMUP_SIZE, warmup }, cached(WARMUP_SIZE, warmup, "resident"));
  }
  await runtime.close();
}

function measurement(id: string, parameters: Measurement["case"], data: string, runs: readonly Trained[]): Measurement {
  const median = (of: (run: Trained) => number): number => quantile(runs.map(of), 0.5);
  const hitRate = median((run) => run.hitRate);
  return {
    ...{
      id,
      case: { ...parameters, ranks: RANKS, tables: TT_TABLES },
      engine: "wasm-relaxed",
      phase: "test",
      unit: "accuracy",
      data,
    },
    values: runs.map(({ metrics }) => metrics.accuracy),
    also: {
      ...{ auc: median((run) => run.metrics.auc), logLoss: median((run) => run.metrics.logLoss), bytes: runs[0].bytes },
      ...{
        stepMs: median((run) => run.stepMs),
        refreshMs: median((run) => run.refreshMs),
        hitRate: Number.isNaN(hitRate) ? 0 : hitRate,
      },
    },
  };
}
