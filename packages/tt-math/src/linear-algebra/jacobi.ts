import { dot, rotate } from "./vector-loops.ts";

/** Right singular vectors and singular values of a square matrix. */
export interface RightVectors {
  /** Orthonormal vectors, one after the other, in the order of `values`. */
  readonly vectors: Float64Array;
  /** Singular values, descending. */
  readonly values: Float64Array;
}

const EPSILON = Number.EPSILON / 2;
const MAX_SWEEPS = 40;

/**
 * One-sided Jacobi: rotates pairs of columns of a square matrix until all are orthogonal; destroys `columns`.
 *
 * The vectors are a product of rotations, orthonormal whatever the rank, and the values are the norms of the rotated
 * columns, so a truncation drops exactly the norm that its values state, even before convergence.
 */
export function rightSingularVectors(columns: Float64Array, size: number): RightVectors {
  const vectors = new Float64Array(size * size);
  for (let j = 0; j < size; j++) vectors[j * size + j] = 1;
  const squares = new Float64Array(size);
  const tolerance = EPSILON * Math.sqrt(size);
  let rotated = true;
  for (let sweep = 0; rotated && sweep < MAX_SWEEPS; sweep++) {
    rotated = false;
    let total = 0;
    for (let j = 0; j < size; j++) {
      squares[j] = dot(columns, j * size, columns, j * size, size);
      total += squares[j];
    }
    const noise = EPSILON * EPSILON * total;
    for (let p = 0; p < size - 1; p++) {
      for (let q = p + 1; q < size; q++) {
        // The larger column goes first: this sorts the values and saves sweeps (de Rijk 1989).
        const swap = squares[q] > squares[p];
        const [large, small] = swap ? [squares[q], squares[p]] : [squares[p], squares[q]];
        const product = dot(columns, p * size, columns, q * size, size);
        const orthogonal = small <= noise || Math.abs(product) <= tolerance * Math.sqrt(large * small);
        if (orthogonal && !swap) continue;
        // A swap is a quarter turn on top of the rotation.
        let cosine = 1;
        let sine = 0;
        if (!orthogonal) {
          const zeta = (small - large) / (2 * product);
          const tangent = 1 / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
          cosine = 1 / Math.sqrt(1 + tangent * tangent);
          sine = (zeta < 0 ? -tangent : tangent) * cosine;
          squares[p] = large - (sine / cosine) * product;
          squares[q] = Math.max(0, small + (sine / cosine) * product);
          rotated = true;
        } else {
          squares[p] = large;
          squares[q] = small;
        }
        if (swap) [cosine, sine] = [-sine, -cosine];
        rotate(columns, p * size, q * size, size, cosine, sine);
        rotate(vectors, p * size, q * size, size, cosine, sine);
      }
    }
  }
  return descending(columns, vectors, size);
}

function descending(columns: Float64Array, vectors: Float64Array, size: number): RightVectors {
  const norms = Array.from({ length: size }, (_, j) => Math.sqrt(dot(columns, j * size, columns, j * size, size)));
  const order = norms.map((_, j) => j).sort((a, b) => norms[b] - norms[a]);
  const sorted = new Float64Array(size * size);
  for (const [to, from] of order.entries()) sorted.set(vectors.subarray(from * size, (from + 1) * size), to * size);
  return { vectors: sorted, values: Float64Array.from(order, (j) => norms[j]) };
}
