import { TtError } from "@tt-rec/tensor";
import type { TableConfig } from "./embeddings/embedding-config.ts";

/** The architecture of a model; plain data, as it is written into checkpoints. */
export interface DlrmConfig {
  /** Number of dense features F; 0 leaves out the bottom MLP. */
  readonly denseFeatures: number;
  /** Columns D of every table. */
  readonly embeddingDim: number;
  /** Output widths of the bottom MLP; the last is D. Empty if there are no dense features. */
  readonly bottomMlp: readonly number[];
  /** Output widths of the top MLP; the last is 1. */
  readonly topMlp: readonly number[];
  /** The categorical features. */
  readonly tables: readonly TableConfig[];
}

/** Throws `E_OPTION` if the parts of a configuration do not fit together. */
export function validateDlrmConfig({ denseFeatures, embeddingDim, bottomMlp, topMlp, tables }: DlrmConfig): void {
  const fail = (message: string): never => {
    throw new TtError("E_OPTION", message);
  };
  if (!(Number.isInteger(denseFeatures) && denseFeatures >= 0))
    fail(`denseFeatures = ${denseFeatures} is not a whole number of at least 0`);
  if (!(Number.isInteger(embeddingDim) && embeddingDim >= 1))
    fail(`embeddingDim = ${embeddingDim} is not a whole number of at least 1`);
  if (denseFeatures === 0 && bottomMlp.length > 0)
    fail(`a model without dense features has no bottom MLP, but bottomMlp = [${bottomMlp}]`);
  if (denseFeatures > 0 && bottomMlp.at(-1) !== embeddingDim) {
    fail(`the last width of bottomMlp = [${bottomMlp}] is not the embedding dimension, ${embeddingDim}`);
  }
  if (topMlp.at(-1) !== 1) fail(`the last width of topMlp = [${topMlp}] is not 1`);
  if (tables.length + (denseFeatures > 0 ? 1 : 0) < 2)
    fail(`the dot interaction needs two vectors; there are ${tables.length} tables`);
  const names = new Set(tables.map(({ name }) => name));
  if (names.size !== tables.length) fail("two tables have the same name");
  // A dot would make the names of two tables' tensors ambiguous.
  for (const name of names)
    if (name === "" || name.includes(".")) fail(`"${name}" cannot name a table: it is empty or has a dot`);
  // Configurations come from JSON, where a kind can be anything.
  for (const { name, embedding } of tables) {
    if (embedding.kind !== "dense" && embedding.kind !== "tt") {
      const { kind } = embedding as { readonly kind: unknown };
      fail(`the embedding of table ${name} is of kind ${JSON.stringify(kind)}; known are dense and tt`);
    }
  }
}
