import type { ForeignColumn, ForeignTable } from "../arrow/foreign-table.ts";
import type { RowBlock } from "../log/row-block.ts";
import type { RowSource, ScanState } from "../log/row-source.ts";
import { takeCells } from "./cell-rows.ts";
import { TableRows } from "./table-rows.ts";
import type { TableSchema } from "./table-schema.ts";
import { createTextHash } from "./text-hash.ts";

/**
 * Makes an Arrow table a source of rows; `read` gives the whole table and may be called several times. Reading throws
 * `E_ROW` with file, row and column, and what `read` throws.
 */
export function arrowSource(name: string, read: () => Promise<ForeignTable>, schema: TableSchema): RowSource {
  return { name, blocks: (_, state) => readBlocks(name, read, schema, state) };
}

async function* readBlocks(
  name: string,
  read: () => Promise<ForeignTable>,
  schema: TableSchema,
  state: ScanState,
): AsyncGenerator<RowBlock> {
  const rows = new TableRows(schema, await createTextHash());
  const { columns, rows: count } = await read();
  const table = {
    names: columns.map((column) => column.name),
    rows: count,
    firstRow: 0,
    cell: (place: number, row: number) => cellOf(columns[place], row),
  };
  yield* takeCells(name, schema, table, state, rows);
  if (rows.rows > 0) yield rows.take();
}

function cellOf({ values, valid, offsets }: ForeignColumn, row: number): unknown {
  if (valid?.[row] === 0) return null;
  if (offsets !== undefined) return Array.from<unknown>(values.slice(offsets[row], offsets[row + 1]));
  return values[row];
}
