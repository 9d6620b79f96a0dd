import type { LogSchema } from "../log/log-schema.ts";

/** Encoded rows, column by column; the shape of an Arrow record batch. */
export interface RowColumns {
  /** Labels, 0 or 1. */
  readonly labels: Uint8Array;
  /** ln(x + 1) of the whole numbers, row-major [rows, F]. */
  readonly dense: Float32Array;
  /** Indices, row-major [rows, T]. */
  readonly ids: Uint32Array;
}

/** Makes room for rows. */
export function createRowColumns(schema: LogSchema, rows: number): RowColumns {
  return {
    labels: new Uint8Array(rows),
    dense: new Float32Array(rows * schema.dense.length),
    ids: new Uint32Array(rows * schema.ids.length),
  };
}
