import { applyQ, householder } from "./householder.ts";

/** A thin QR factorization; `size` is the smaller side of the matrix. */
export interface Qr {
  /** Orthonormal columns, row-major [rows, size]. */
  readonly q: Float64Array;
  /** Upper triangle, row-major [size, columns]. */
  readonly r: Float64Array;
  /** The smaller of rows and columns. */
  readonly size: number;
}

/** Factorizes a row-major [rows, columns] matrix into orthonormal columns and an upper triangle. */
export function qr(matrix: Float64Array, rows: number, columns: number): Qr {
  const size = Math.min(rows, columns);
  const work = transpose(matrix, rows, columns);
  const factors = householder(work, rows, columns);
  const r = new Float64Array(size * columns);
  for (let j = 0; j < columns; j++) {
    for (let i = 0; i <= Math.min(j, size - 1); i++) r[i * columns + j] = work[j * rows + i];
  }
  const q = new Float64Array(rows * size);
  const column = new Float64Array(rows);
  for (let j = 0; j < size; j++) {
    column.fill(0);
    column[j] = 1;
    applyQ(work, factors, rows, column, 0);
    for (let i = 0; i < rows; i++) q[i * size + j] = column[i];
  }
  return { q, r, size };
}

/** The transpose of a row-major [rows, columns] matrix. */
export function transpose(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = matrix[i * columns + j];
  }
  return result;
}
