import type { EmbeddingConfig } from "@tt-rec/dlrm";
import { createTTShape, parameterCount } from "@tt-rec/tt-math";

/** A table and the TT-cores whose floats other embeddings of it may have. */
export interface EqualBytes {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly ranks: number;
  /** Accesses of each row in the training rows. */
  readonly counts: Uint32Array;
}

/** Other embeddings, as large as the TT-cores of a table where they can be; one that cannot be so small takes its least size. */
export const METHODS: Readonly<Record<string, (table: EqualBytes) => EmbeddingConfig>> = {
  TT: ({ ranks }) => ({ kind: "tt", ranks }),
  "hash, x mod N": (table) => ({ kind: "hash", rows: rowsWithin(table) }),
  "quotient–remainder": (table) => ({ kind: "quotient-remainder", collisions: collisionsWithin(table), operation: "mult" }),
  "mixed dimension": (table) => ({ kind: "mixed-dimension", dimension: rankWithin(table) }),
  "low rank": (table) => ({ kind: "low-rank", rank: rankWithin(table) }),
  "hot rows and one for the rest": (table) => {
    // An id is kept beside each row, and a row is shared by the rest.
    const ids = hottest(table.counts, Math.floor((rowsWithin(table) * table.embeddingDim) / (table.embeddingDim + 1)) - 1);
    return { kind: "hot-rows", rows: ids.length, ids };
  },
  "columns removed": () => ({ kind: "removed" }),
};

function floatsOf({ numEmbeddings, embeddingDim, ranks }: EqualBytes): number {
  return parameterCount(createTTShape({ numEmbeddings, embeddingDim, ranks }));
}

function rowsWithin(table: EqualBytes): number {
  return Math.min(table.numEmbeddings, Math.max(2, Math.floor(floatsOf(table) / table.embeddingDim)));
}

/** The fewest collisions whose two tables, ⌈n / c⌉ and c rows, fit; those of the least size if none do. */
function collisionsWithin(table: EqualBytes): number {
  const least = Math.ceil(Math.sqrt(table.numEmbeddings));
  for (let collisions = 2; collisions < least; collisions++) {
    if (Math.ceil(table.numEmbeddings / collisions) + collisions <= rowsWithin(table)) return collisions;
  }
  return least;
}

/** The largest width of n rows and a projection that fits, at least 1. */
function rankWithin(table: EqualBytes): number {
  const { numEmbeddings, embeddingDim } = table;
  return Math.min(embeddingDim, Math.max(1, Math.floor(floatsOf(table) / (numEmbeddings + embeddingDim))));
}

/** The rows accessed most, rising. */
function hottest(counts: Uint32Array, rows: number): number[] {
  const order = Array.from(counts.keys()).sort((a, b) => counts[b] - counts[a] || a - b);
  return order.slice(0, rows).sort((a, b) => a - b);
}
