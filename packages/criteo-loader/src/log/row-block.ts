import type { LogSchema } from "./log-schema.ts";

/** Some parsed rows of a log, row-major; the reader reuses it, so it holds until the next block is asked for. */
export interface RowBlock {
  /** Number of rows it can hold. */
  readonly capacity: number;
  /** Number of rows it holds. */
  rows: number;
  /** Labels, 0 or 1. */
  readonly labels: Uint8Array;
  /** Whole numbers as written, [capacity, F]; a missing one is 0. Doubles, because they may exceed 32 bits. */
  readonly integers: Float64Array;
  /** Raw ids as written, [capacity, T]; a missing one is 0. */
  readonly ids: Uint32Array;
}

/** Makes an empty block. */
export function createRowBlock(schema: LogSchema, capacity: number): RowBlock {
  return {
    capacity,
    rows: 0,
    labels: new Uint8Array(capacity),
    integers: new Float64Array(capacity * schema.dense.length),
    ids: new Uint32Array(capacity * schema.ids.length),
  };
}
