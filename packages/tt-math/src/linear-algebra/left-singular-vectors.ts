import { applyQ, householder, triangleOfTranspose } from "./householder.ts";
import { rightSingularVectors } from "./jacobi.ts";
import { transpose } from "./qr.ts";

/** The left half of a singular value decomposition. */
export interface LeftVectors {
  /** All min(rows, columns) singular values, descending. */
  readonly values: Float64Array;
  /** Builds the first `rank` left singular vectors, each of length `rows`, one after the other. */
  vectors(rank: number): Float64Array;
}

/**
 * Left singular vectors of a row-major [rows, columns] matrix: a QR factorization down to the smaller side, then Jacobi.
 *
 * No Gram matrix is formed, which would lose every singular value below 1e-8 of the largest.
 */
export function leftSingularVectors(matrix: Float64Array, rows: number, columns: number): LeftVectors {
  if (rows <= columns) {
    const { values, vectors } = rightSingularVectors(triangleOfTranspose(matrix, rows, columns), rows);
    return { values, vectors: (rank) => vectors.subarray(0, rank * rows) };
  }
  const reflectors = transpose(matrix, rows, columns);
  const factors = householder(reflectors, rows, columns);
  const transposedTriangle = new Float64Array(columns * columns);
  for (let j = 0; j < columns; j++) {
    for (let i = 0; i <= j; i++) transposedTriangle[i * columns + j] = reflectors[j * rows + i];
  }
  const small = rightSingularVectors(transposedTriangle, columns);
  return {
    values: small.values,
    vectors(rank) {
      const result = new Float64Array(rank * rows);
      for (let k = 0; k < rank; k++) {
        result.set(small.vectors.subarray(k * columns, (k + 1) * columns), k * rows);
        applyQ(reflectors, factors, rows, result, k * rows);
      }
      return result;
    },
  };
}
