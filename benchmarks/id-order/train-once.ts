import { type BatchSource, Dlrm, type EmbeddingConfig, evaluate, type OptimizerConfig, train } from "@tt-rec/dlrm";
import { createRng, Runtime } from "@tt-rec/tensor";
import { quantile } from "@tt-rec/testing";
import type { Initializer } from "@tt-rec/tt-math";

/** A finished training. */
export interface Outcome {
  /** Test metrics after the epoch whose validation log-loss was the lowest. */
  readonly logLoss: number;
  readonly auc: number;
  /** Numbers in the two tables. */
  readonly floats: number;
  /** Median wall time of a step in ms. */
  readonly stepMs: number;
}

/** What is learned from: batches, and the two tables. */
export interface TwoTables extends BatchSource {
  readonly cardinalities: readonly number[];
  readonly denseFeatures: number;
  readonly tableNames: readonly string[];
}

const BATCH_SIZE = 1024;
/** Rates were chosen on validation rows. For Adagrad TT wants a higher rate than uncompressed rows. */
const OPTIMIZERS: Record<"adagrad" | "adam", Record<"dense" | "tt", OptimizerConfig>> = {
  adagrad: {
    dense: { kind: "adagrad", learningRate: 0.02 },
    tt: { kind: "adagrad", learningRate: 0.05, ttLearningRate: 0.1 },
  },
  adam: {
    dense: { kind: "adam", learningRate: 0.002, embeddingLearningRate: 0.002 },
    tt: { kind: "adam", learningRate: 0.002, ttLearningRate: 0.005 },
  },
};

/** Rows of TT tables start wider than DLRM's: 1/√(3n) is 0.007 here. */
const INITIALIZER: Initializer = { kind: "sampled-gaussian", scaling: "variance-matched", standardDeviation: 0.05 };

/** How both tables are stored and trained. */
export interface TwoTableTraining {
  /** TT-ranks; absent: uncompressed. */
  readonly ranks?: number;
  readonly seed: number;
  readonly epochs: number;
  /** Adagrad leaves the uncompressed model of gowalla far from what it can be in a few epochs; Adam does not. */
  readonly optimizer: "adagrad" | "adam";
}

/** Trains a model of two tables with 16 columns. */
export async function trainOnce(data: TwoTables, { ranks, seed, epochs, optimizer }: TwoTableTraining): Promise<Outcome> {
  const runtime = await Runtime.create();
  const embedding: EmbeddingConfig = ranks === undefined ? { kind: "dense" } : { kind: "tt", ranks, initializer: INITIALIZER };
  const tables = data.tableNames.map((name, table) => ({ name, numEmbeddings: data.cardinalities[table], embedding }));
  const config = { denseFeatures: data.denseFeatures, embeddingDim: 16, bottomMlp: [16], topMlp: [256, 1], tables };
  const model = new Dlrm(runtime, config, createRng(seed));
  try {
    const rule = OPTIMIZERS[optimizer][ranks === undefined ? "dense" : "tt"];
    const training = { epochs, batchSize: BATCH_SIZE, optimizer: rule, shuffle: true, seed };
    const times: number[] = [];
    let lowest = Number.POSITIVE_INFINITY;
    let best = { logLoss: Number.NaN, auc: Number.NaN };
    for await (const event of train(model, data, training, { split: "validation" })) {
      if (event.kind === "step") times.push(event.milliseconds);
      if (event.kind !== "evaluation" || event.metrics.logLoss >= lowest) continue;
      lowest = event.metrics.logLoss;
      const { logLoss, auc } = await evaluate(model, data, "test");
      best = { logLoss, auc };
    }
    return { ...best, floats: model.embeddingParameterBytes / 4, stepMs: quantile(times, 0.5) };
  } finally {
    model.dispose();
    await runtime.close();
  }
}
