import { ridgeSolver } from "../linear-algebra/ridge-solver.ts";
import { addScaled, dot } from "../linear-algebra/vector-loops.ts";
import { type SplitBond, splitBond } from "./split-bond.ts";

/** Part of the largest norm below which a row is rounding and carries no direction. */
const NOISE = 1e-12;

/** Rows as combinations of others, and what that leaves. */
export interface RowFit {
  /** Row-major [rows, known rows]. */
  readonly coefficients: Float64Array;
  /** Row-major [rows, columns]. */
  readonly residual: Float64Array;
}

/**
 * Fits rows by least squares as combinations of `known` rows, of which only some columns are given here.
 *
 * `norms` are those of the whole known rows, which are orthogonal; with them the fit is well scaled, and the ridge keeps the
 * columns that are not given bounded where the given ones say little.
 */
export function fitRows(
  known: readonly Float64Array[],
  norms: ArrayLike<number>,
  rows: readonly Float64Array[],
  ridge: number,
): RowFit {
  const [rank, columns] = [known.length, rows[0].length];
  const inverse = Float64Array.from({ length: rank }, (_, k) => (norms[k] > NOISE * norms[0] ? 1 / norms[k] : 0));
  const gram = new Float64Array(rank * rank);
  for (let a = 0; a < rank; a++) {
    for (let b = 0; b <= a; b++) {
      gram[a * rank + b] = dot(known[a], 0, known[b], 0, columns) * inverse[a] * inverse[b];
      gram[b * rank + a] = gram[a * rank + b];
    }
  }
  const solve = ridgeSolver(gram, rank, ridge);
  const coefficients = new Float64Array(rows.length * rank);
  const residual = new Float64Array(rows.length * columns);
  for (const [j, row] of rows.entries()) {
    const left = residual.subarray(j * columns, (j + 1) * columns);
    left.set(row);
    // The normal equations lose half of the digits; solving for what is left brings them back.
    for (let refinement = 0; refinement < 3; refinement++) {
      const change = solve(Float64Array.from(known, (basis, k) => dot(basis, 0, left, 0, columns) * inverse[k]));
      for (let k = 0; k < rank; k++) {
        coefficients[j * rank + k] += change[k] * inverse[k];
        addScaled(-change[k] * inverse[k], known[k], 0, left, 0, columns);
      }
    }
  }
  return { coefficients, residual };
}

/** Splits what a fit left; no direction where that is within the budget, or rounding, or the rank is used up. */
export function extraDirections(
  residual: Float64Array,
  rows: number,
  budget: number,
  maxRank: number,
  noiseSquares: number,
): SplitBond {
  const droppedSquares = dot(residual, 0, residual, 0, residual.length);
  if (maxRank < 1 || droppedSquares <= Math.max(budget, noiseSquares)) {
    return { factor: new Float64Array(0), rest: new Float64Array(0), rank: 0, droppedSquares };
  }
  return splitBond(residual, rows, residual.length / rows, budget, maxRank);
}
