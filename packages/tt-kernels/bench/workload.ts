import { createRng, type Rng } from "@tt-rec/tensor";
import type { TTShape } from "@tt-rec/tt-math";
import { buildPrefixTree } from "../src/lookup/prefix-tree.ts";
import { groupRows } from "../src/lookup/row-groups.ts";
import { chainExtents } from "../src/reference/chain.ts";
import type { ChainBatch } from "./naive-chain.ts";

/** The largest table of Criteo Kaggle. */
export const ROWS = 10_131_227;

/** How ids fall: evenly, by rank of a power law, or by that rank spread over the table by a fixed map. */
export type Ids = "uniform" | "zipf" | "scattered";

const EXPONENT = 1.05;

/** Batches that a case goes through in turn, so that none stays in a cache. */
const BATCHES = 8;

/** Bounded power law by inversion of its continuous form; 0 is the most frequent id. */
function zipf(rng: Rng): number {
  const power = 1 - EXPONENT;
  return Math.min(ROWS - 1, Math.floor((1 + rng.uniform() * ((ROWS + 1) ** power - 1)) ** (1 / power)) - 1);
}

/** Batches of bags of `pooling` ids each. */
export function drawBatches(batchSize: number, pooling: number, ids: Ids): ChainBatch[] {
  const rng = createRng(7);
  const offsets = Uint32Array.from({ length: batchSize + 1 }, (_, bag) => bag * pooling);
  const draw = {
    uniform: () => Math.floor(rng.uniform() * ROWS),
    zipf: () => zipf(rng),
    // A step that shares no factor with the prime number of rows meets every row.
    scattered: () => (zipf(rng) * 1_264_103 + 12_345) % ROWS,
  }[ids];
  return Array.from({ length: BATCHES }, () => ({
    indices: Uint32Array.from({ length: batchSize * pooling }, draw),
    offsets,
  }));
}

/** Multiplications and additions of one lookup's chain forward, mean of the batches, after and before deduplication. */
export function chainFlops(shape: TTShape, batches: readonly ChainBatch[]): { executed: number; nominal: number } {
  const { left, rank, right } = chainExtents(shape.columnShape, shape.ranks);
  let [executed, nominal] = [0, 0];
  for (const { indices } of batches) {
    for (const [k, { count }] of buildPrefixTree(groupRows(indices).uniqueRows, shape.rowShape).entries()) {
      if (k === 0) continue;
      const product = (2 * left[k] * rank[k] * right[k]) / (indices.length * batches.length);
      executed += count * product;
      nominal += indices.length * product;
    }
  }
  return { executed, nominal };
}
