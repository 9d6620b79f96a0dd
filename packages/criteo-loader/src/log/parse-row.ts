import { logFeature } from "./log-feature.ts";
import { columnNames, type LogSchema } from "./log-schema.ts";
import type { ParsedRows } from "./parsed-rows.ts";

/** Line feed, the end of a row. */
export const LINE_FEED = 10;
const TAB = 9;
const CARRIAGE_RETURN = 13;
const MINUS = 45;
const ZERO = 48;
/** Whole numbers of up to 15 digits are exact in a double. */
const MAX_DIGITS = 15;
const MAX_HEX_DIGITS = 8;

/** Value of each hexadecimal digit by its byte; 255 for any other byte. */
const NIBBLES: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = "0123456789abcdef".indexOf(String.fromCharCode(byte).toLowerCase());
  return digit < 0 ? 255 : digit;
});

/** Bytes of the longest good row of a schema, its line end included. */
export function longestRow(schema: LogSchema): number {
  return 1 + schema.dense.length * (2 + MAX_DIGITS) + schema.ids.length * (1 + MAX_HEX_DIGITS) + 2;
}

/** What was wrong: a byte that cannot start the field, a byte that cannot follow it, or too many digits. */
type FaultKind = "start" | "end" | "length";

/** Where and why a row was refused. */
export interface RowFault {
  /** What was wrong. */
  kind: FaultKind;
  /** Position of the byte that broke the rule; never beyond the row's line feed. */
  position: number;
  /** Number of the column, from 0. */
  column: number;
}

/**
 * Parses the row at `start` into the next free row. A line feed must lie at or after `start`: it ends every loop, so
 * none needs a bound. Returns the position after the row, or -1 with `fault` filled.
 */
export function parseRow(bytes: Uint8Array, start: number, into: ParsedRows, fault: RowFault): number {
  const { rows, labels, denseCount, denseWidth, flagPlaces, dense, idCount, ids, stride } = into;
  let position = start;

  const label = bytes[position] - ZERO;
  if (label !== 0 && label !== 1) return refuse(fault, "start", position, 0);
  labels[rows] = label;
  position++;

  const row = rows * denseWidth;
  for (let i = 0, at = row; i < denseCount; i++, at++) {
    if (bytes[position] !== TAB) return refuse(fault, "end", position, i);
    position++;
    const negative = bytes[position] === MINUS;
    if (negative) position++;
    const first = position;
    let value = 0;
    for (let digit = bytes[position] - ZERO; digit >= 0 && digit <= 9; digit = bytes[position] - ZERO) {
      value = value * 10 + digit;
      position++;
    }
    const digits = position - first;
    if (digits > MAX_DIGITS) return refuse(fault, "length", first, i + 1);
    if (negative && digits === 0) return refuse(fault, "start", first, i + 1);
    dense[at] = negative ? 0 : logFeature(value);
    if (flagPlaces[i] > 0) dense[row + flagPlaces[i]] = digits === 0 ? 1 : 0;
  }

  // Positions up to here have all digits of a full id, and the byte behind it, within the array.
  const lastFull = bytes.length - MAX_HEX_DIGITS - 1;
  for (let i = 0, at = rows; i < idCount; i++, at += stride) {
    if (bytes[position] !== TAB) return refuse(fault, "end", position, denseCount + i);
    position++;
    if (position <= lastFull) {
      // Nearly every id has eight digits: read without a loop.
      const a = NIBBLES[bytes[position]];
      const b = NIBBLES[bytes[position + 1]];
      const c = NIBBLES[bytes[position + 2]];
      const d = NIBBLES[bytes[position + 3]];
      const e = NIBBLES[bytes[position + 4]];
      const f = NIBBLES[bytes[position + 5]];
      const g = NIBBLES[bytes[position + 6]];
      const h = NIBBLES[bytes[position + 7]];
      if ((a | b | c | d | e | f | g | h) < 16 && NIBBLES[bytes[position + 8]] > 15) {
        ids[at] = (a << 28) | (b << 24) | (c << 20) | (d << 16) | (e << 12) | (f << 8) | (g << 4) | h;
        position += 8;
        continue;
      }
    }
    const first = position;
    let value = 0;
    for (let nibble = NIBBLES[bytes[position]]; nibble < 16; nibble = NIBBLES[bytes[position]]) {
      value = (value << 4) | nibble;
      position++;
    }
    if (position - first > MAX_HEX_DIGITS) return refuse(fault, "length", first, denseCount + i + 1);
    ids[at] = value;
  }

  if (bytes[position] === CARRIAGE_RETURN && bytes[position + 1] === LINE_FEED) position++;
  if (bytes[position] !== LINE_FEED) return refuse(fault, "end", position, denseCount + idCount);
  into.rows = rows + 1;
  return position + 1;
}

function refuse(fault: RowFault, kind: FaultKind, position: number, column: number): -1 {
  fault.kind = kind;
  fault.position = position;
  fault.column = column;
  return -1;
}

/** Says in words which rule the row broke. */
export function describeFault(bytes: Uint8Array, { kind, position, column }: RowFault, schema: LogSchema): string {
  const names = columnNames(schema);
  const dense = column > 0 && column <= schema.dense.length;
  if (kind === "length") {
    return `column ${names[column]} has more than ${dense ? `${MAX_DIGITS} digits` : `${MAX_HEX_DIGITS} hex digits`}`;
  }
  const byte = bytes[position];
  const lineEnds = byte === LINE_FEED || (byte === CARRIAGE_RETURN && bytes[position + 1] === LINE_FEED);
  if (kind === "end" && lineEnds) return `the row has ${column + 1} columns, the schema ${names.length}`;
  if (kind === "end" && byte === TAB) return `the row has more than the schema's ${names.length} columns`;
  const rule = column === 0 ? "0 or 1" : dense ? "a whole number" : "hexadecimal";
  return `column ${names[column]} is not ${rule}: byte 0x${byte.toString(16).padStart(2, "0")} was found`;
}
