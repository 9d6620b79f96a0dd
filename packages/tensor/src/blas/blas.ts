import type { GemmLayout } from "../dense/kernels.ts";

/** A BLAS library: single-precision products of row-major arrays, in place on any heap. */
export interface Blas {
  /** For results and checkpoints: `openblas-0.3.21`, or the library's file name. */
  readonly name: string;
  /**
   * Sets the threads of the following products, for the whole process, and returns the number in use: 1 from a library
   * without such a setting. Throws `E_OPTION` unless it is a whole number of at least 1.
   */
  setThreads(threads: number): number;
  /**
   * `out = op(a)·op(b)`: [m, k]·[k, n] → [m, n] after the transposes of `layout`. Blocks the caller until it is done. Throws `E_SHAPE` if an array is too short for its extents.
   */
  sgemm(layout: GemmLayout, m: number, n: number, k: number, a: Float32Array, b: Float32Array, out: Float32Array): void;
}
