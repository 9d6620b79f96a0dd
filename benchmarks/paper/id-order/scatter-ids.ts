import type { Batch, BatchRequest, BatchSource } from "@tt-rec/dlrm";
import { createRng, shuffleInPlace } from "@tt-rec/tensor";

/** Batches whose ids are permuted at random, as hashing does but without its collisions; 0, out of vocabulary, keeps its place. */
export function scatterIds<Source extends BatchSource & { readonly cardinalities: readonly number[] }>(
  source: Source,
  seed: number,
): Source {
  const orders = source.cardinalities.map((rows, table) => {
    const order = Uint32Array.from({ length: rows }, (_, id) => id);
    shuffleInPlace(order.subarray(1), createRng(seed, table));
    return order;
  });
  const scatter = (batch: Batch): Batch => ({
    ...batch,
    bags: batch.bags.map((bag, table) => ({ ...bag, indices: bag.indices.map((id) => orders[table][id]) })),
  });
  return {
    ...source,
    async *batches(request: BatchRequest) {
      for await (const batch of source.batches(request)) yield scatter(batch);
    },
  };
}
