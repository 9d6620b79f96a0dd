import type { DlrmConfig, EmbeddingConfig, OptimizerConfig } from "@tt-rec/dlrm";
import { topTables } from "../../common/top-tables.ts";

/** Columns of all tables. */
export const EMBEDDING_DIM = 16;
/** Samples a step. */
export const BATCH_SIZE = 128;
/** How models learn: as in the root README's table of a real sample. */
export const OPTIMIZER: OptimizerConfig = { kind: "adagrad", learningRate: 0.02 };

/** What a data set says of a model for it. */
export interface CriteoTables {
  readonly cardinalities: readonly number[];
  readonly denseFeatures: number;
}

/** A DLRM with small MLPs, the root README's; the `count` largest tables take an embedding of their own. */
export function criteoModel(
  { cardinalities, denseFeatures }: CriteoTables,
  count: number,
  embeddingOf: (numEmbeddings: number, table: number) => EmbeddingConfig = () => ({ kind: "dense" }),
): DlrmConfig {
  const tables = topTables(cardinalities, count, embeddingOf);
  return { denseFeatures, embeddingDim: EMBEDDING_DIM, bottomMlp: [64, EMBEDDING_DIM], topMlp: [64, 1], tables };
}
