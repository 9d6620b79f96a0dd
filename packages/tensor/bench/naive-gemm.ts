import type { GemmLayout } from "@tt-rec/tensor";

/** The product as three loops in the order of the definition: what anyone writes first. */
export const naiveGemm: Record<GemmLayout, (a: Float32Array, b: Float32Array, out: Float32Array, extents: Extents) => void> = {
  nn(a, b, out, { m, n, k }) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += a[i * k + p] * b[p * n + j];
        out[i * n + j] = sum;
      }
    }
  },
  nt(a, b, out, { m, n, k }) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += a[i * k + p] * b[j * k + p];
        out[i * n + j] = sum;
      }
    }
  },
  tn(a, b, out, { m, n, k }) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += a[p * m + i] * b[p * n + j];
        out[i * n + j] = sum;
      }
    }
  },
};

/** Extents of a product: [m, k]·[k, n] → [m, n]. */
export interface Extents {
  /** Rows of the result. */
  readonly m: number;
  /** Columns of the result. */
  readonly n: number;
  /** Length of the summed dimension. */
  readonly k: number;
}
