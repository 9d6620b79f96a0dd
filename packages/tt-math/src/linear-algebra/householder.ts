import { addScaled, dot } from "./vector-loops.ts";

/** Columns shorter than this count as zero: their squares would lose digits. What comes in is scaled to about 1. */
const TINY = 1e-140;

/**
 * QR factorization in place by Householder reflections of `count` columns, which lie one after the other, each of `length`.
 *
 * R replaces the upper triangle; below it lie the reflectors without their leading 1. Returns their min(length, count)
 * factors τ. The elements should be scaled to about 1.
 */
export function householder(columns: Float64Array, length: number, count: number): Float64Array {
  const factors = new Float64Array(Math.min(length, count));
  for (let j = 0; j < factors.length; j++) {
    const pivot = j * length + j;
    const below = length - j - 1;
    const norm = Math.sqrt(dot(columns, pivot, columns, pivot, below + 1));
    if (norm < TINY) {
      columns.fill(0, pivot, pivot + below + 1);
      continue;
    }
    const value = columns[pivot];
    const reflected = value > 0 ? -norm : norm;
    factors[j] = (reflected - value) / reflected;
    const scale = 1 / (value - reflected);
    for (let i = 1; i <= below; i++) columns[pivot + i] *= scale;
    columns[pivot] = reflected;
    for (let other = j + 1; other < count; other++) reflect(columns, pivot, factors[j], columns, other * length + j, below);
  }
  return factors;
}

/** Replaces the vector that starts at `start` by Q times it, for the Q that `householder` left in `columns`. */
export function applyQ(columns: Float64Array, factors: Float64Array, length: number, vector: Float64Array, start: number): void {
  for (let j = factors.length - 1; j >= 0; j--) {
    reflect(columns, j * length + j, factors[j], vector, start + j, length - j - 1);
  }
}

/**
 * The triangular factor R of the QR factorization of the transpose of a row-major [rows, columns] matrix, column by column.
 *
 * Takes in a few columns of the matrix at a time, so the workspace stays in the processor's cache however wide it is.
 */
export function triangleOfTranspose(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const block = Math.min(columns, 4 * rows);
  const length = rows + block;
  const work = new Float64Array(rows * length);
  for (let begin = 0; begin < columns; begin += block) {
    const taken = Math.min(block, columns - begin);
    for (let row = 0; row < rows; row++) {
      // Above the block lies R so far; what `householder` left below its diagonal are reflectors, not numbers of R.
      work.fill(0, row * length + row + 1, (row + 1) * length);
      work.set(matrix.subarray(row * columns + begin, row * columns + begin + taken), row * length + rows);
    }
    householder(work, length, rows);
  }
  const triangle = new Float64Array(rows * rows);
  for (let row = 0; row < rows; row++) {
    triangle.set(work.subarray(row * length, row * length + row + 1), row * rows);
  }
  return triangle;
}

function reflect(
  reflector: Float64Array,
  pivot: number,
  factor: number,
  vector: Float64Array,
  start: number,
  below: number,
): void {
  const amount = factor * (vector[start] + dot(reflector, pivot + 1, vector, start + 1, below));
  vector[start] -= amount;
  addScaled(-amount, reflector, pivot + 1, vector, start + 1, below);
}
