import type { BatchSource } from "@tt-rec/dlrm";
import { suggestShape } from "@tt-rec/tt-math";
import { distinctPrefixes } from "../../common/lookup-call.ts";

const BATCHES = 20;

/** Distinct prefixes of the first two digits over the lookups, in the first training batches and the largest tables. */
export async function prefixesPerLookup(
  source: BatchSource & { readonly cardinalities: readonly number[] },
  batchSize: number,
  tables: number,
): Promise<number> {
  const { cardinalities } = source;
  const largest = cardinalities.map((_, t) => t).sort((a, b) => cardinalities[b] - cardinalities[a]);
  let [prefixes, lookups, batches] = [0, 0, 0];
  for await (const { bags } of source.batches({ split: "train", batchSize })) {
    for (const t of largest.slice(0, tables)) {
      prefixes += distinctPrefixes(suggestShape(cardinalities[t], 3), bags[t].indices)[1];
      lookups += bags[t].indices.length;
    }
    if (++batches === BATCHES) break;
  }
  return prefixes / lookups;
}
