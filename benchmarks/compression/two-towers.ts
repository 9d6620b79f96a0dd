import { type BinaryMetrics, Dlrm, type EmbeddingConfig, evaluate, type OptimizerConfig, train } from "@tt-rec/dlrm";
import { createRng, type Runtime } from "@tt-rec/tensor";
import type { Interactions } from "./interactions.ts";

/** Columns of the tables. */
export const DIM = 16;

/** Samples a step. */
const BATCH = 1024;

/** How a model of two tables, for users and items, is trained. */
export interface TwoTowers {
  readonly embedding: EmbeddingConfig;
  readonly optimizer: OptimizerConfig;
  readonly epochs: number;
  readonly seed: number;
}

/** Trains the model; the caller disposes of it. */
export async function trainTwoTowers(
  runtime: Runtime,
  { cardinalities, source }: Interactions,
  { embedding, optimizer, epochs, seed }: TwoTowers,
): Promise<Dlrm> {
  const tables = ["user", "item"].map((name, t) => ({ name, numEmbeddings: cardinalities[t], embedding }));
  const config = { denseFeatures: 0, embeddingDim: DIM, bottomMlp: [], topMlp: [1], tables };
  const model = new Dlrm(runtime, config, createRng(seed));
  for await (const _ of train(model, source, { epochs, batchSize: BATCH, optimizer, shuffle: false, seed })) {
    // The events are of no interest here.
  }
  return model;
}

/** Trains a model and measures it on the validation and the test rows; a diverged one has infinite losses. */
export async function scoreTwoTowers(
  runtime: Runtime,
  data: Interactions,
  setting: TwoTowers,
): Promise<{ validation: BinaryMetrics; test: BinaryMetrics } | undefined> {
  try {
    const model = await trainTwoTowers(runtime, data, setting);
    const scores = {
      validation: await evaluate(model, data.source, "validation"),
      test: await evaluate(model, data.source, "test"),
    };
    model.dispose();
    return scores;
  } catch (error) {
    if ((error as { code?: string }).code === "E_NONFINITE") return undefined;
    throw error;
  }
}
