import { TtError } from "@tt-rec/tensor";
import type { RowBlock } from "../log/row-block.ts";
import type { LogSource, RowSource, ScanState } from "../log/row-source.ts";
import { type Dialect, RecordFields, scanRecord } from "./scan-record.ts";
import { type ColumnPlaces, columnPlaces, takeFields } from "./table-columns.ts";
import { TableRows } from "./table-rows.ts";
import type { TableSchema } from "./table-schema.ts";
import { createTextHash } from "./text-hash.ts";

/** A record longer than this is refused, as one with a quote that is never closed. */
const MAX_RECORD_BYTES = 1 << 22;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/**
 * Makes a CSV or TSV file with a header a source of rows. Fields are quoted as RFC 4180 says, unless the schema or a tab
 * as delimiter says otherwise. Reading throws `E_ROW` with file, line and column for a header without a column of the schema
 * and for a bad row beyond those that may be skipped, and what `bytes` throws. Throws `E_OPTION` at once for a list column without a separator.
 */
export function delimitedSource(bytes: LogSource, schema: TableSchema): RowSource {
  const unseparated = schema.ids.find(({ list, separator }) => list && separator === undefined);
  if (unseparated !== undefined) {
    throw new TtError(
      "E_OPTION",
      `the list column ${unseparated.column} needs a separator in a text file: "list": "|" for example`,
    );
  }
  return {
    name: bytes.name,
    blocks: (_, state) => readBlocks(bytes, schema, state),
  };
}

async function* readBlocks(source: LogSource, schema: TableSchema, state: ScanState): AsyncGenerator<RowBlock> {
  const rows = new TableRows(schema, await createTextHash());
  const reader = new RecordReader(source.name, schema, state, rows);
  let kept = new Uint8Array(0);
  for await (const chunk of source.chunks()) {
    state.bytes += chunk.length;
    // A copy: doubled quotes are made single in place, and the chunk is not ours.
    const bytes = new Uint8Array(kept.length + chunk.length);
    bytes.set(kept);
    bytes.set(chunk, kept.length);
    yield* reader.read(bytes, false);
    kept = bytes.subarray(reader.position);
    if (kept.length > MAX_RECORD_BYTES) reader.fail(`the row is longer than ${MAX_RECORD_BYTES} bytes; is a quote never closed?`);
  }
  yield* reader.read(kept, true);
  if (rows.rows > 0) yield rows.take();
}

/** Reads records out of pieces of a file: the header, then rows. */
class RecordReader {
  /** Where the first record that is not complete begins in the bytes last read. */
  position = 0;
  readonly #file: string;
  readonly #schema: TableSchema;
  readonly #state: ScanState;
  readonly #rows: TableRows;
  readonly #fields = new RecordFields();
  #dialect: Dialect | undefined;
  #places: ColumnPlaces | undefined;
  /** Line of the next record. */
  #line = 1;

  constructor(file: string, schema: TableSchema, state: ScanState, rows: TableRows) {
    this.#file = file;
    this.#schema = schema;
    this.#state = state;
    this.#rows = rows;
  }

  /** Yields full blocks out of the records in `bytes`; `last` says that nothing follows. */
  *read(bytes: Uint8Array, last: boolean): Generator<RowBlock> {
    this.position = 0;
    const fields = this.#fields;
    if (this.#dialect === undefined) {
      if (bytes.indexOf(10) < 0 && !last) return;
      if (BYTE_ORDER_MARK.every((byte, index) => bytes[index] === byte)) this.position = BYTE_ORDER_MARK.length;
      this.#dialect = dialectOf(this.#schema, bytes, this.position);
    }
    while (this.position < bytes.length) {
      const next = scanRecord(bytes, this.position, bytes.length, last, this.#dialect, fields);
      if (next < 0) return;
      if (this.#places === undefined) this.#places = this.#readHeader(bytes);
      else this.#readRow(bytes, this.#places);
      this.#line += fields.lines;
      this.position = next;
      if (this.#rows.full) yield this.#rows.take();
    }
  }

  /** Throws `E_ROW` at the present line. */
  fail(reason: string, column?: string): never {
    const allowance =
      this.#state.maxBadRows > 0 ? ` (bad row ${this.#state.badRows}, maxBadRows = ${this.#state.maxBadRows})` : "";
    const where = { file: this.#file, line: this.#line, ...(column !== undefined && { column }) };
    throw new TtError("E_ROW", `${this.#file}, line ${this.#line}: ${reason}${allowance}`, where);
  }

  #readHeader(bytes: Uint8Array): ColumnPlaces {
    const fields = this.#fields;
    if (fields.fault !== undefined) this.fail(`in the header, ${fields.fault}`);
    const decoder = new TextDecoder();
    const names = Array.from({ length: fields.count }, (_, i) =>
      decoder.decode(bytes.subarray(fields.starts[i], fields.ends[i])),
    );
    const places = columnPlaces(this.#schema, names);
    if (typeof places === "string") this.fail(places);
    return places;
  }

  #readRow(bytes: Uint8Array, places: ColumnPlaces): void {
    this.#state.lines++;
    const fault = this.#rowFault(bytes, places);
    if (fault === undefined) {
      this.#rows.keep();
      return;
    }
    this.#rows.drop();
    this.#state.badRows++;
    if (this.#state.badRows > this.#state.maxBadRows) this.fail(fault.reason, fault.column);
  }

  #rowFault(bytes: Uint8Array, places: ColumnPlaces): { reason: string; column?: string } | undefined {
    const fields = this.#fields;
    if (fields.fault !== undefined) return { reason: fields.fault };
    if (fields.count !== places.width) return { reason: `the row has ${fields.count} columns, the header ${places.width}` };
    return takeFields(this.#schema, places, this.#rows, bytes, fields);
  }
}

/** Where the schema is silent, a tab in the first line says that it is the delimiter, and that there are no quotes. */
function dialectOf({ delimiter, quote }: TableSchema, bytes: Uint8Array, from: number): Dialect {
  const lineEnd = bytes.indexOf(10, from);
  const line = bytes.subarray(from, lineEnd < 0 ? bytes.length : lineEnd);
  const between = delimiter ?? (line.includes(9) ? "\t" : ",");
  const around = quote ?? (between === "\t" ? "" : '"');
  return { delimiter: between.charCodeAt(0), quote: around === "" ? -1 : around.charCodeAt(0) };
}
