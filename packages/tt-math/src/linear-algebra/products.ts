import { addScaled } from "./vector-loops.ts";

/** Columns that are worked on at a time, so that they stay in the processor's cache. */
const BLOCK = 512;

/** a·b for row-major a [rows, inner] and b [inner, columns]. */
export function multiply(a: Float64Array, b: Float64Array, rows: number, inner: number, columns: number): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let begin = 0; begin < columns; begin += BLOCK) {
    const length = Math.min(BLOCK, columns - begin);
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < inner; k++) {
        addScaled(a[row * inner + k], b, k * columns + begin, result, row * columns + begin, length);
      }
    }
  }
  return result;
}

/** vectors·matrix for `count` vectors of length `rows`, one after the other, and a row-major matrix [rows, columns]. */
export function project(vectors: Float64Array, matrix: Float64Array, rows: number, columns: number, count: number): Float64Array {
  const result = new Float64Array(count * columns);
  for (let begin = 0; begin < columns; begin += BLOCK) {
    const length = Math.min(BLOCK, columns - begin);
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < count; k++) {
        addScaled(vectors[k * rows + row], matrix, row * columns + begin, result, k * columns + begin, length);
      }
    }
  }
  return result;
}

/** out += a·b for small row-major a [rows, inner] and b [inner, columns]; four rows of b at a time, so that out is read less often. */
export function addProduct(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  rows: number,
  inner: number,
  columns: number,
): void {
  for (let row = 0; row < rows; row++) {
    const to = row * columns;
    let k = 0;
    for (; k + 3 < inner; k += 4) {
      const from = row * inner + k;
      const [a0, a1, a2, a3] = [a[from], a[from + 1], a[from + 2], a[from + 3]];
      const b0 = k * columns;
      const [b1, b2, b3] = [b0 + columns, b0 + 2 * columns, b0 + 3 * columns];
      for (let i = 0; i < columns; i++) out[to + i] += a0 * b[b0 + i] + a1 * b[b1 + i] + a2 * b[b2 + i] + a3 * b[b3 + i];
    }
    for (; k < inner; k++) addScaled(a[row * inner + k], b, k * columns, out, to, columns);
  }
}
