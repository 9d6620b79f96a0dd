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
