import type { EmbeddingConfig, TableConfig } from "@tt-rec/dlrm";

/** Tables C1, C2, … of a model; the `count` largest take the embedding that is given, the others stay uncompressed. */
export function topTables(
  cardinalities: readonly number[],
  count: number,
  embeddingOf: (numEmbeddings: number, table: number) => EmbeddingConfig,
): TableConfig[] {
  const threshold = count === 0 ? Number.POSITIVE_INFINITY : [...cardinalities].sort((a, b) => b - a)[count - 1];
  return cardinalities.map((numEmbeddings, t) => ({
    ...{ name: `C${t + 1}`, numEmbeddings },
    embedding: numEmbeddings >= threshold ? embeddingOf(numEmbeddings, t) : { kind: "dense" },
  }));
}
