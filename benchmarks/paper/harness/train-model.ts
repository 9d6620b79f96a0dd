import { type BatchSource, type BinaryMetrics, Dlrm, type DlrmConfig, evaluate, type OptimizerConfig, train } from "@tt-rec/dlrm";
import { createRng, type Runtime } from "@tt-rec/tensor";
import { quantile } from "@tt-rec/testing";

/** How a model is trained. */
export interface Training {
  readonly config: DlrmConfig;
  readonly optimizer: OptimizerConfig;
  readonly batchSize: number;
  readonly epochs: number;
  readonly seed: number;
}

/** What became of it. */
export interface Trained {
  /** Metrics on the test rows. */
  readonly metrics: BinaryMetrics;
  /** Bytes of the embeddings as they are deployed. */
  readonly bytes: number;
  /** Median wall time of a step in ms. */
  readonly stepMs: number;
  /** Share of the lookups in cached tables that their caches answered; NaN without a cache. */
  readonly hitRate: number;
  /** Time that the caches spent in refreshes, in ms. */
  readonly refreshMs: number;
}

/** Trains a model from its seed and scores the test rows. */
export async function trainModel(
  runtime: Runtime,
  source: BatchSource,
  { config, optimizer, batchSize, epochs, seed }: Training,
): Promise<Trained> {
  const model = new Dlrm(runtime, config, createRng(seed));
  try {
    const times: number[] = [];
    for await (const event of train(model, source, { epochs, batchSize, optimizer, shuffle: epochs > 1, seed })) {
      if (event.kind === "step") times.push(event.milliseconds);
    }
    const caches = model.tables.flatMap(({ cache }) => (cache === undefined ? [] : [cache.metrics]));
    const sum = (of: (cache: (typeof caches)[number]) => number): number => caches.reduce((total, cache) => total + of(cache), 0);
    return {
      metrics: await evaluate(model, source, "test"),
      bytes: model.embeddingParameterBytes,
      stepMs: quantile(times, 0.5),
      hitRate: sum(({ hits }) => hits) / sum(({ lookups }) => lookups),
      refreshMs: sum(({ refreshMilliseconds }) => refreshMilliseconds),
    };
  } finally {
    model.dispose();
  }
}

/** Trains with each of some seeds; returns the runs. */
export async function trainSeeds(
  runtime: Runtime,
  source: BatchSource,
  training: Omit<Training, "seed">,
  seeds: readonly number[],
): Promise<Trained[]> {
  const runs: Trained[] = [];
  for (const seed of seeds) runs.push(await trainModel(runtime, source, { ...training, seed }));
  return runs;
}
