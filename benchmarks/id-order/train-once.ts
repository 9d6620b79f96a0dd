import type { Dataset } from "@tt-rec/criteo-loader";
import { Dlrm, type EmbeddingConfig, evaluate, type OptimizerConfig, train } from "@tt-rec/dlrm";
import { createRng, Runtime } from "@tt-rec/tensor";
import type { Initializer } from "@tt-rec/tt-math";

/** A finished training. */
export interface Outcome {
  /** Test metrics after the epoch whose validation log-loss was the lowest. */
  readonly logLoss: number;
  readonly auc: number;
  /** Numbers in the two tables. */
  readonly floats: number;
}

const EPOCHS = 4;
const BATCH_SIZE = 1024;
// TT wants a higher rate than uncompressed rows; both were chosen on the validation rows.
const DENSE: OptimizerConfig = { kind: "adagrad", learningRate: 0.02 };
const TT: OptimizerConfig = { kind: "adagrad", learningRate: 0.05, ttLearningRate: 0.1 };

/** Rows of TT tables start wider than DLRM's: 1/√(3n) is 0.007 here. */
const INITIALIZER: Initializer = { kind: "sampled-gaussian", scaling: "variance-matched", standardDeviation: 0.05 };

/** Trains a model of two tables with 16 columns; `ranks` makes them TT tables. */
export async function trainOnce(data: Dataset, ranks: number | undefined, seed: number): Promise<Outcome> {
  const runtime = await Runtime.create();
  const embedding: EmbeddingConfig = ranks === undefined ? { kind: "dense" } : { kind: "tt", ranks, initializer: INITIALIZER };
  const tables = data.tableNames.map((name, table) => ({ name, numEmbeddings: data.cardinalities[table], embedding }));
  const config = { denseFeatures: data.denseFeatures, embeddingDim: 16, bottomMlp: [16], topMlp: [256, 1], tables };
  const model = new Dlrm(runtime, config, createRng(seed));
  try {
    const optimizer = ranks === undefined ? DENSE : TT;
    const training = { epochs: EPOCHS, batchSize: BATCH_SIZE, optimizer, shuffle: true, seed };
    let lowest = Number.POSITIVE_INFINITY;
    let best = { logLoss: Number.NaN, auc: Number.NaN };
    for await (const event of train(model, data, training, { split: "validation" })) {
      if (event.kind !== "evaluation" || event.metrics.logLoss >= lowest) continue;
      lowest = event.metrics.logLoss;
      const { logLoss, auc } = await evaluate(model, data, "test");
      best = { logLoss, auc };
    }
    return { ...best, floats: model.embeddingParameterBytes / 4 };
  } finally {
    model.dispose();
    await runtime.close();
  }
}
