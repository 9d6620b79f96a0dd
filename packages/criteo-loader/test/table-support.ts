import type { RowSource } from "../src/index.ts";
import { idColumnKinds } from "../src/log/log-schema.ts";
import { logSchemaOf, type TableSchema } from "../src/table/table-schema.ts";

/** A row of a table source as plain arrays; two numbers an id in a column of texts. */
export interface PlainRow {
  readonly label: number;
  readonly dense: number[];
  readonly ids: number[][];
}

/** Reads a source into plain arrays. */
export async function rowsOf(from: RowSource, schema: TableSchema, maxBadRows = 0): Promise<PlainRow[]> {
  const rows: PlainRow[] = [];
  const logSchema = logSchemaOf(schema);
  const kinds = idColumnKinds(logSchema);
  for await (const block of from.blocks(logSchema, { maxBadRows, badRows: 0, lines: 0, bytes: 0 })) {
    for (let row = 0; row < block.rows; row++) {
      rows.push({
        label: block.labels[row],
        dense: [...block.dense.subarray(row * schema.dense.length, (row + 1) * schema.dense.length)],
        ids: block.ids.map(({ words, offsets = [] }, column) => {
          const [start, end] = kinds[column].list ? [offsets[row], offsets[row + 1]] : [row, row + 1];
          return [...words.subarray(start * kinds[column].words, end * kinds[column].words)];
        }),
      });
    }
  }
  return rows;
}
