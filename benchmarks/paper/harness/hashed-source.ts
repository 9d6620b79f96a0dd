import type { Batch, BatchRequest, BatchSource } from "@tt-rec/dlrm";
import { createTTShape, parameterCount } from "@tt-rec/tt-math";

/** Which tables are hashed, and the TT-cores whose bytes they may take. */
export interface Hashing {
  readonly tables: number;
  readonly ranks: number;
  readonly embeddingDim: number;
}

/** Batches whose ids of the largest tables are taken modulo as many rows as fit the bytes of their TT-cores. */
export function hashLargest(
  source: BatchSource,
  cardinalities: readonly number[],
  { tables, ranks, embeddingDim }: Hashing,
): { readonly source: BatchSource; readonly cardinalities: number[] } {
  const threshold = [...cardinalities].sort((a, b) => b - a)[tables - 1];
  const rows = cardinalities.map((numEmbeddings) => {
    if (numEmbeddings < threshold) return numEmbeddings;
    const floats = parameterCount(createTTShape({ numEmbeddings, embeddingDim, ranks }));
    return Math.min(numEmbeddings, Math.max(1, Math.floor(floats / embeddingDim)));
  });
  const hash = (batch: Batch): Batch => ({
    ...batch,
    bags: batch.bags.map((bag, t) =>
      rows[t] === cardinalities[t] ? bag : { ...bag, indices: bag.indices.map((id) => id % rows[t]) },
    ),
  });
  return {
    cardinalities: rows,
    source: {
      rows: (split) => source.rows(split),
      async *batches(request: BatchRequest) {
        for await (const batch of source.batches(request)) yield hash(batch);
      },
    },
  };
}
