import { logFeature } from "../log/log-feature.ts";
import { denseWidth, idColumnKinds } from "../log/log-schema.ts";
import type { RowBlock } from "../log/row-block.ts";
import { parseDecimalId, parseHexId, parseLabel, parseNumber } from "./field-values.ts";
import { GrowingIds } from "./growing-ids.ts";
import { type CategoricalColumn, logSchemaOf, type TableSchema } from "./table-schema.ts";
import type { TextHash } from "./text-hash.ts";

/** Rows of a block. */
const BLOCK_ROWS = 1 << 14;

/**
 * Takes the fields of rows, as bytes, into a block. A row is filled field by field and then either kept or dropped; a
 * method that returns false has taken nothing and means that the field breaks the rule that `ruleOf` tells.
 */
export class TableRows {
  /** Rows kept in the present block. */
  rows = 0;
  readonly #schema: TableSchema;
  readonly #hash: TextHash;
  readonly #labels = new Uint8Array(BLOCK_ROWS);
  /** Dense features of a row. */
  readonly #width: number;
  /** Place of each number's flag in a row, or −1. */
  readonly #flagPlaces: readonly number[];
  readonly #dense: Float32Array;
  readonly #ids: readonly GrowingIds[];

  constructor(schema: TableSchema, hash: TextHash) {
    this.#schema = schema;
    this.#hash = hash;
    const logSchema = logSchemaOf(schema);
    const { flags = [] } = logSchema;
    this.#width = denseWidth(logSchema);
    this.#flagPlaces = schema.dense.map(({ column, flag }) => (flag === true ? schema.dense.length + flags.indexOf(column) : -1));
    this.#dense = new Float32Array(BLOCK_ROWS * this.#width);
    this.#ids = idColumnKinds(logSchema).map((kind) => new GrowingIds(kind, BLOCK_ROWS));
  }

  /** Whether the block has no room for another row. */
  get full(): boolean {
    return this.rows === BLOCK_ROWS;
  }

  /** Takes the label. */
  label(bytes: Uint8Array, from: number, to: number): boolean {
    const label = parseLabel(bytes, from, to);
    if (label < 0) return false;
    this.#labels[this.rows] = label;
    return true;
  }

  /** Takes the number of dense column `column`. */
  number(column: number, bytes: Uint8Array, from: number, to: number): boolean {
    const { dense } = this.#schema;
    const value = from === to ? 0 : parseNumber(bytes, from, to);
    if (Number.isNaN(value)) return false;
    const row = this.rows * this.#width;
    this.#dense[row + column] = dense[column].transform === "none" ? value : logOf(value);
    if (this.#flagPlaces[column] >= 0) this.#dense[row + this.#flagPlaces[column]] = from === to ? 1 : 0;
    return true;
  }

  /** Takes the ids of a field of id column `column`: one, or as many as the separator cuts it into, none if it is empty. */
  ids(column: number, bytes: Uint8Array, from: number, to: number): boolean {
    const { list, separator } = this.#schema.ids[column];
    if (!list) return this.id(column, bytes, from, to);
    if (from === to) return true;
    const byte = separator?.charCodeAt(0) ?? -1;
    for (let start = from; start <= to; ) {
      let end = start;
      while (end < to && bytes[end] !== byte) end++;
      if (!this.id(column, bytes, start, end)) return false;
      start = end + 1;
    }
    return true;
  }

  /** Takes one id of id column `column`; an empty one is 0. */
  id(column: number, bytes: Uint8Array, from: number, to: number): boolean {
    const { type } = this.#schema.ids[column];
    const ids = this.#ids[column];
    if (from === to) ids.push(0, 0);
    else if (type === "text") {
      this.#hash.update(bytes, from, to);
      ids.push(this.#hash.low, this.#hash.high);
    } else {
      const value = type === "integer" ? parseDecimalId(bytes, from, to) : parseHexId(bytes, from, to);
      if (value < 0) return false;
      ids.push(value, 0);
    }
    return true;
  }

  /** Keeps the row; without a label column it is a positive one. */
  keep(): void {
    if (this.#schema.label === undefined) this.#labels[this.rows] = 1;
    this.rows++;
    for (const ids of this.#ids) ids.endRow(this.rows);
  }

  /** Drops what was taken of the row. */
  drop(): void {
    for (const ids of this.#ids) ids.dropRow(this.rows);
  }

  /** The rows kept, as views that hold until the next row is taken; the block starts anew. */
  take(): RowBlock {
    const { rows } = this;
    this.rows = 0;
    const width = this.#width;
    return {
      rows,
      labels: this.#labels.subarray(0, rows),
      dense: this.#dense.subarray(0, rows * width),
      ids: this.#ids.map((ids) => ids.take(rows)),
    };
  }
}

/** ln(x + 1): counts take the way of all counts, so that they have the same bits in every format. */
function logOf(value: number): number {
  return Number.isInteger(value) ? logFeature(value) : value > 0 ? Math.log(value + 1) : 0;
}

/** What a field of an id column must be, in words. */
export function idRule({ type }: CategoricalColumn): string {
  if (type === "integer") return 'a whole number of 0 to 4294967295 (larger ones and texts need "type": "text")';
  return type === "hex" ? "up to 8 hexadecimal digits" : "a text";
}
