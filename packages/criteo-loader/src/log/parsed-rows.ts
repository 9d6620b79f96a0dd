import type { LogSchema } from "./log-schema.ts";
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
  /** Dense features F. */
  readonly denseCount: number;
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
  const [denseCount, idCount] = [schema.dense.length, schema.ids.length];
  const stride = capacity + PADDING;
  return {
    capacity,
    rows: 0,
    labels: new Uint8Array(capacity),
    denseCount,
    dense: new Float32Array(capacity * denseCount),
    idCount,
    ids: new Int32Array(stride * idCount),
    stride,
  };
}

/** The rows as a block of views. */
export function parsedBlock({ rows, labels, denseCount, dense, idCount, ids, stride }: ParsedRows): RowBlock {
  const words = new Uint32Array(ids.buffer);
  return {
    rows,
    labels: labels.subarray(0, rows),
    dense: dense.subarray(0, rows * denseCount),
    ids: Array.from({ length: idCount }, (_, column) => ({ words: words.subarray(column * stride, column * stride + rows) })),
  };
}
