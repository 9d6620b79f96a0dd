import { rightSingularVectors } from "./jacobi.ts";
import { dot } from "./vector-loops.ts";

/**
 * Solves (G·(1 − ridge) + ridge·I)·x = b for a symmetric positive semidefinite G [size, size] with eigenvalues up to 1.
 *
 * In directions that G does not see, x stays 0 if b does; so a solution is never larger than 1/(2·√ridge) times the data.
 */
export function ridgeSolver(gram: Float64Array, size: number, ridge: number): (b: Float64Array) => Float64Array {
  const { vectors, values } = rightSingularVectors(gram.slice(), size);
  return (b) => {
    const x = new Float64Array(size);
    for (let e = 0; e < size; e++) {
      const amount = dot(vectors, e * size, b, 0, size) / (values[e] * (1 - ridge) + ridge);
      for (let i = 0; i < size; i++) x[i] += amount * vectors[e * size + i];
    }
    return x;
  };
}
