import { createRng, type Runtime } from "@tt-rec/tensor";
import { type Bags, DenseEmbeddingBag, TTEmbeddingBag } from "@tt-rec/tt-kernels";
import { type Draw, powerIds } from "../../common/ids.ts";
import { randomCores, tableShape } from "../../common/lookup-call.ts";
import { TABLE } from "../../common/table.ts";
import type { FigureContext } from "./figure.ts";

/** What the lookups of a figure are, for the record. */
export const DRAWN_LOOKUPS =
  "lookups drawn by p(r) ∝ r^-1.05, ids in the order of their frequency, in a table of 10,131,227 × 16";

/** The largest table of Criteo Kaggle, uncompressed. */
export function denseTable(runtime: Runtime): DenseEmbeddingBag {
  return new DenseEmbeddingBag(runtime, {
    ...{ numEmbeddings: TABLE.rows, embeddingDim: TABLE.embeddingDim },
    // Pages that were never written share one page of zeros, and would be read too fast.
    initialize: (table) => table.fill(1e-3),
  });
}

/** The same table as three TT-cores. */
export function ttTable(runtime: Runtime, ranks: number): TTEmbeddingBag {
  const shape = tableShape(ranks);
  return new TTEmbeddingBag(runtime, { shape, cores: randomCores(shape) });
}

/** Draws ids of that table by the power law of clicks. */
export function clickIds({ seed }: FigureContext): Draw {
  return powerIds(TABLE.rows, createRng(seed));
}

/** Batches of bags of the same length. */
export function drawBags(draw: Draw, bags: number, pooling: number, batches: number): Bags[] {
  const offsets = Uint32Array.from({ length: bags + 1 }, (_, bag) => bag * pooling);
  return Array.from({ length: batches }, () => ({ indices: draw(bags * pooling), offsets }));
}
