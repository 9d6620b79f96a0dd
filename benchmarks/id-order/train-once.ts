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

/** Passes over the training rows that the settings were chosen for. */
const EPOCHS = 4;
const BATCH_SIZE = 1024;
// TT wants a higher rate than uncompressed rows; both were chosen on the validation rows.
const DENSE: OptimizerConfig = { kind: "adagrad", learningRate: 0.02 };
const TT: OptimizerConfig = { kind: "adagrad", learningRate: 0.05, ttLearningRate: 0.1 };

/** Rows of TT tables start wider than DLRM's: 1/√(3n) is 0.007 here. */
const INITIALIZER: Initializer = { kind: "sampled-gaussian", scaling: "variance-matched", standardDeviation: 0.05 };

/** Trains a model of two tables with 16 columns; `ranks` makes them TT tables. */
export async function trainOnce(
  data: TwoTables,
  ranks: number | undefined,
  seed: number,
  epochs: number = EPOCHS,
): Promise<Outcome> {
  const runtime = await Runtime.create();
  const embedding: EmbeddingConfig = ranks === undefined ? { kind: "dense" } : { kind: "tt", ranks, initializer: INITIALIZER };
  const tables = data.tableNames.map((name, table) => ({ name, numEmbeddings: data.cardinalities[table], embedding }));
  const config = { denseFeatures: data.denseFeatures, embeddingDim: 16, bottomMlp: [16], topMlp: [256, 1], tables };
  const model = new Dlrm(runtime, config, createRng(seed));
  try {
    const optimizer = ranks === undefined ? DENSE : TT;
    const training = { epochs, batchSize: BATCH_SIZE, optimizer, shuffle: true, seed };
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
