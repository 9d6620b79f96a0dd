import { TtError } from "@tt-rec/tensor";
import type { RowBlock } from "../log/row-block.ts";
import type { ScanState } from "../log/row-source.ts";
import { CellBytes } from "./cell-bytes.ts";
import { type ColumnPlaces, columnPlaces } from "./table-columns.ts";
import { idRule, type TableRows } from "./table-rows.ts";
import type { TableSchema } from "./table-schema.ts";

/** A table of values in memory. */
export interface CellTable {
  /** Names of its columns. */
  readonly names: readonly string[];
  /** Number of rows. */
  readonly rows: number;
  /** Row of the file that is row 0 here. */
  readonly firstRow: number;
  /** A value: a number, a text, a list of them, or null. */
  cell(place: number, row: number): unknown;
}

/**
 * Takes the rows of a table of values, as their texts would be taken, and yields the blocks that get full. Throws `E_ROW`
 * with file, row and column for a missing column and for a bad row beyond those that may be skipped.
 */
export function* takeCells(
  file: string,
  schema: TableSchema,
  table: CellTable,
  state: ScanState,
  rows: TableRows,
): Generator<RowBlock> {
  const places = columnPlaces(schema, table.names);
  if (typeof places === "string") throw new TtError("E_ROW", `${file}: ${places}`, { file });
  const bytes = new CellBytes();
  for (let row = 0; row < table.rows; row++) {
    state.lines++;
    const fault = takeRow(schema, places, table, row, rows, bytes);
    if (fault === undefined) rows.keep();
    else {
      rows.drop();
      state.badRows++;
      if (state.badRows > state.maxBadRows) {
        const line = table.firstRow + row + 1;
        const allowance = state.maxBadRows > 0 ? ` (bad row ${state.badRows}, maxBadRows = ${state.maxBadRows})` : "";
        throw new TtError("E_ROW", `${file}, row ${line}: ${fault.reason}${allowance}`, { file, line, column: fault.column });
      }
    }
    if (rows.full) yield rows.take();
  }
}

function takeRow(
  schema: TableSchema,
  { label, dense, ids }: ColumnPlaces,
  table: CellTable,
  row: number,
  rows: TableRows,
  bytes: CellBytes,
): { reason: string; column: string } | undefined {
  const refused = (column: string, value: unknown, rule: string): { reason: string; column: string } => ({
    reason: `column ${column} is not ${rule}: ${shown(value)} was found`,
    column,
  });
  if (schema.label !== undefined) {
    const value = table.cell(label, row);
    if (!(bytes.write(value) && rows.label(bytes.bytes, 0, bytes.length))) return refused(schema.label, value, "0 or 1");
  }
  for (const [i, place] of dense.entries()) {
    const value = table.cell(place, row);
    if (!(bytes.write(value) && rows.number(i, bytes.bytes, 0, bytes.length)))
      return refused(schema.dense[i].column, value, "a number");
  }
  for (const [i, place] of ids.entries()) {
    const value = table.cell(place, row);
    if (!takeIds(schema, i, value, rows, bytes)) return refused(schema.ids[i].column, value, idRule(schema.ids[i]));
  }
  return undefined;
}

function takeIds(schema: TableSchema, column: number, value: unknown, rows: TableRows, bytes: CellBytes): boolean {
  if (schema.ids[column].list && isList(value)) {
    for (const id of value) if (!(bytes.write(id) && rows.id(column, bytes.bytes, 0, bytes.length))) return false;
    return true;
  }
  return bytes.write(value) && rows.ids(column, bytes.bytes, 0, bytes.length);
}

function isList(value: unknown): value is Iterable<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof Uint8Array));
}

/** The beginning of a value. */
function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : Array.isArray(value) ? `[${value.join()}]` : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
