import { IdIndex, mixBits } from "@tt-rec/tensor";
import type { HashEmbeddingConfig, HotRowsEmbeddingConfig } from "./embedding-config.ts";

/** Which row stands for an id. */
export interface RowMap {
  /** Number of rows. */
  readonly rows: number;
  /** Bytes that the map needs beside the rows. */
  readonly bytes: number;
  /** The row of an id. */
  readonly rowOf: (id: number) => number;
}

/** The hashing trick: the remainder of the id, or of the scrambled id. */
export function hashMap({ rows, seed }: HashEmbeddingConfig): RowMap {
  if (seed === undefined) return { rows, bytes: 0, rowOf: (id) => id % rows };
  const salt = mixBits(seed);
  // Both steps are bijections of 32-bit words, so that distinct ids collide only by the remainder.
  return { rows, bytes: 0, rowOf: (id) => (mixBits(id ^ salt) >>> 0) % rows };
}

/** The first `rows` ids, or those listed, have a row each; the last row is that of all others, if there are any. */
export function hotRowsMap({ rows, ids }: HotRowsEmbeddingConfig, numEmbeddings: number): RowMap {
  const count = rows < numEmbeddings ? rows + 1 : rows;
  if (ids === undefined) return { rows: count, bytes: 0, rowOf: (id) => Math.min(id, rows) };
  const index = new IdIndex(rows);
  for (const id of ids) index.add(id);
  const rowOf = (id: number): number => {
    const row = index.numberOf(id);
    return row < 0 ? rows : row;
  };
  return { rows: count, bytes: index.bytes, rowOf };
}
