import { createRng, mixBits, TtError } from "@tt-rec/tensor";
import { requireWhole } from "../prepare/prepare-options.ts";
import { plantModel, sigmoid } from "./planted-model.ts";
import { createRowSource, type DrawnRow } from "./row-source.ts";

const CHUNK_BYTES = 1 << 18;
/** No row is longer: 40 columns of at most 9 bytes. */
const ROW_BYTES = 512;
const TAB = 9;
const LINE_FEED = 10;
const MINUS = 45;
const ZERO = 48;
const HEX_DIGITS: Uint8Array = new TextEncoder().encode("0123456789abcdef");

/** Options of `generateLog`. */
export interface GenerateOptions {
  /** Number of rows. */
  readonly rows: number;
  /** Seed, a uint32, of the vocabulary, the planted model and the rows. */
  readonly seed: number;
  /** Factor on the cardinalities of columns with more than 100 ids, above 0 and at most 100; 1 is Criteo Kaggle's. Default 1. */
  readonly scale?: number;
}

/**
 * Generates a raw log in Criteo's format, as chunks of lines: label, 13 whole numbers, 26 ids of 8 hex digits.
 *
 * Cardinalities, skew (Zipf–Mandelbrot fits), the functional chain C3 → C12 → C21 → C16 → C4 → C24, groups of values that
 * are missing together and the click rate of 0.256 are those of Criteo Kaggle. Labels come from a planted model in
 * which each id has an effect of its own, so embeddings are worth learning. The same options give the same bytes,
 * and fewer rows give a prefix of more. Throws `E_OPTION` at once.
 */
export function generateLog(options: GenerateOptions): AsyncIterable<Uint8Array> {
  const { rows, seed, scale = 1 } = options;
  requireWhole("rows", rows, 1);
  requireWhole("seed", seed, 0, 2 ** 32 - 1);
  if (!(scale > 0 && scale <= 100)) throw new TtError("E_OPTION", `scale = ${scale} is not above 0 and at most 100`);
  return { [Symbol.asyncIterator]: () => chunks(rows, seed, scale) };
}

async function* chunks(rows: number, seed: number, scale: number): AsyncGenerator<Uint8Array> {
  const source = createRowSource(mixBits(seed ^ 0x5eed), scale);
  const model = plantModel(mixBits(seed ^ 0xc11c), source);
  const rng = createRng(seed);
  const tokenKeys = source.laws.map((_, column) => mixBits(mixBits(seed ^ 0x70c3) + column));
  const buffer = new Uint8Array(CHUNK_BYTES);
  let used = 0;
  for (let done = 0; done < rows; done++) {
    const row = source.draw(rng);
    const label = rng.uniform() < sigmoid(model.logit(row)) ? 1 : 0;
    used = writeRow(buffer, used, label, row, tokenKeys);
    if (used + ROW_BYTES > CHUNK_BYTES || done + 1 === rows) {
      yield buffer.slice(0, used);
      used = 0;
    }
  }
}

function writeRow(buffer: Uint8Array, start: number, label: number, row: DrawnRow, tokenKeys: readonly number[]): number {
  let end = start;
  buffer[end++] = ZERO + label;
  for (const value of row.integers) {
    buffer[end++] = TAB;
    if (!Number.isNaN(value)) end = writeInteger(buffer, end, value);
  }
  for (let column = 0; column < tokenKeys.length; column++) {
    buffer[end++] = TAB;
    // A bijection, so two ids of a column never share a token.
    if (row.ranks[column] > 0) end = writeHex(buffer, end, mixBits(row.ranks[column] ^ tokenKeys[column]));
  }
  buffer[end++] = LINE_FEED;
  return end;
}

function writeInteger(buffer: Uint8Array, start: number, value: number): number {
  let end = start;
  if (value < 0) buffer[end++] = MINUS;
  let rest = Math.abs(value);
  const digits = rest < 10 ? 1 : Math.floor(Math.log10(rest)) + 1;
  for (let position = end + digits - 1; position >= end; position--) {
    buffer[position] = ZERO + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return end + digits;
}

function writeHex(buffer: Uint8Array, start: number, word: number): number {
  for (let digit = 0; digit < 8; digit++) buffer[start + digit] = HEX_DIGITS[(word >>> (28 - 4 * digit)) & 15];
  return start + 8;
}
