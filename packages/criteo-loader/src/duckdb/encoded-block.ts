import { logFeature } from "../log/log-feature.ts";
import type { LogSchema } from "../log/log-schema.ts";
import type { RowBlock } from "../log/row-block.ts";
import type { ChunkValues, Connection } from "./load-duckdb.ts";

/** Gives the values of a column of a chunk; they may be longer than the chunk has rows. */
export type ChunkColumns = (column: number) => ChunkValues;

/** Runs a query and hands out its rows. */
export async function* chunks(
  connection: Connection,
  sql: string,
): AsyncGenerator<{ readonly rows: number; readonly columns: ChunkColumns }> {
  const result = await connection.stream(sql);
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    const { rowCount } = chunk;
    const current = chunk;
    yield { rows: rowCount, columns: (column) => current.getColumnVector(column).items };
  }
}

/** Rows of `selectEncoded` as the writer takes them. The database has whole numbers only; the logarithm is taken here. */
export function encodedBlock(rows: number, columns: ChunkColumns, { dense, ids }: LogSchema): RowBlock {
  const features = new Float32Array(rows * dense.length);
  for (let i = 0; i < dense.length; i++) {
    const integers = columns(1 + i);
    // Words instead of bigints: fifteen digits fit into a double.
    const words = new Int32Array(integers.buffer, integers.byteOffset, 2 * rows);
    for (let row = 0; row < rows; row++) {
      features[row * dense.length + i] = logFeature(words[2 * row + 1] * 2 ** 32 + (words[2 * row] >>> 0));
    }
  }
  return {
    rows,
    labels: (columns(0) as Uint8Array).subarray(0, rows),
    dense: features,
    ids: ids.map((_, j) => ({ words: (columns(1 + dense.length + j) as Uint32Array).subarray(0, rows) })),
  };
}
