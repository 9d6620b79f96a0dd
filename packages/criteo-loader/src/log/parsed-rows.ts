import { denseWidth, type LogSchema } from "./log-schema.ts";
import type { RowBlock } from "./row-block.ts";

/** Words between the ends of two columns, so that their places do not fall into the same set of a cache. */
const PADDING = 80;

/** Room for the rows that a parser finds, column by column. */
export interface ParsedRows {
  /** Number of rows it can hold. */
  readonly capacity: number;
  /** Number of rows it holds. */
  rows: number;
  /** Labels, [capacity]. */
  readonly labels: Uint8Array;
  /** Whole-number columns. */
  readonly denseCount: number;
  /** Dense features F: the numbers and the flags. */
  readonly denseWidth: number;
  /** Place of each number's flag in a row, 0 if it has none. */
  readonly flagPlaces: Uint32Array;
  /** Dense features, row-major [capacity, F]. */
  readonly dense: Float32Array;
  /** Id columns T. */
  readonly idCount: number;
  /** Raw ids as 32-bit words, column after column. */
  readonly ids: Int32Array;
  /** Words from the beginning of a column to that of the next. */
  readonly stride: number;
}

/** Makes room for rows. */
export function createParsedRows(schema: LogSchema, capacity: number): ParsedRows {
  const [denseCount, idCount, width] = [schema.dense.length, schema.ids.length, denseWidth(schema)];
  // No flag lies at place 0: a number is before it.
  const flagPlaces = Uint32Array.from(schema.dense, (name) => denseCount * Number(schema.flags?.includes(name) ?? false));
  for (const [i, name] of (schema.flags ?? []).entries()) flagPlaces[schema.dense.indexOf(name)] += i;
  const stride = capacity + PADDING;
  return {
    capacity,
    rows: 0,
    labels: new Uint8Array(capacity),
    denseCount,
    denseWidth: width,
    flagPlaces,
    dense: new Float32Array(capacity * width),
    idCount,
    ids: new Int32Array(stride * idCount),
    stride,
  };
}

/** The rows as a block of views. */
export function parsedBlock({ rows, labels, denseWidth: width, dense, idCount, ids, stride }: ParsedRows): RowBlock {
  const words = new Uint32Array(ids.buffer);
  return {
    rows,
    labels: labels.subarray(0, rows),
    dense: dense.subarray(0, rows * width),
    ids: Array.from({ length: idCount }, (_, column) => ({ words: words.subarray(column * stride, column * stride + rows) })),
  };
}
