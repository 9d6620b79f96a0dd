import { leftSingularVectors } from "../linear-algebra/left-singular-vectors.ts";
import { multiply, project } from "../linear-algebra/products.ts";
import { qr } from "../linear-algebra/qr.ts";
import { ridgeSolver } from "../linear-algebra/ridge-solver.ts";
import { addScaled, dot } from "../linear-algebra/vector-loops.ts";
import type { TTShape } from "../shape/tt-shape.ts";
import { modeTensor } from "./mode-tensor.ts";
import { type SplitBond, splitBond } from "./split-bond.ts";
import { cutTail } from "./truncation.ts";

/** Keeps the filled rows bounded where few elements of them are given. */
const RIDGE = 1e-12;

/** Part of the norm below which what the fit leaves is its own rounding. */
const FIT_NOISE = 1e-12;

/** The last digit of the first core that has rows, and how many it has. */
export interface Boundary {
  /** First digits below this have all their rows. */
  readonly fullDigits: number;
  /** Rows that the first digit `fullDigits` has; those behind them are padding. */
  readonly rest: number;
}

/** Where the rows of a table end in terms of its first digit. */
export function boundaryOf({ numEmbeddings, rowShape }: Pick<TTShape, "numEmbeddings" | "rowShape">): Boundary {
  const inner = rowShape.slice(1).reduce((a, b) => a * b, 1);
  const fullDigits = Math.floor(numEmbeddings / inner);
  return { fullDigits, rest: numEmbeddings - fullDigits * inner };
}

/**
 * Splits the first unfolding [p1·q1, …] so that padding rows raise no rank of this bond or a later one.
 *
 * Only the q1 rows of one first digit are given in part. The others span a row space; the given part of these rows is
 * fitted in it, which fills the rest of them from that space, and only what the fit leaves becomes new directions. Rows of
 * higher digits stay zero, which raises no rank. Every later unfolding has its rows in the same space.
 */
export function splitPaddedBond(
  tensor: Float64Array,
  shape: Pick<TTShape, "numEmbeddings" | "rowShape" | "columnShape">,
  allowedSquares: number,
  maxRank: number,
): SplitBond {
  const { rowShape, columnShape } = shape;
  const rows = rowShape[0] * columnShape[0];
  const columns = tensor.length / rows;
  const { fullDigits, rest } = boundaryOf(shape);
  if (fullDigits === 0 || rest === 0) return splitBond(tensor, rows, columns, allowedSquares, maxRank);
  const q = columnShape[0];
  const full = fullDigits * q;
  const spectrum = leftSingularVectors(tensor, full, columns);
  const cut = cutTail(spectrum.values, allowedSquares, maxRank);
  const left = spectrum.vectors(cut.rank);
  const known = project(left, tensor, full, columns, cut.rank);

  const given = givenColumns(shape, rest);
  const fit = fitPartialRows(tensor.subarray(full * columns, (full + q) * columns), known, spectrum.values, given, cut.rank, q);
  const noiseSquares = FIT_NOISE * FIT_NOISE * dot(tensor, 0, tensor, 0, tensor.length);
  const budget = Math.max(0, allowedSquares - cut.droppedSquares);
  const extra = extraDirections(fit.residual, q, columns, budget, maxRank - cut.rank, noiseSquares);

  const rank = cut.rank + extra.rank;
  const factor = new Float64Array(rows * rank);
  for (let row = 0; row < full; row++) {
    for (let k = 0; k < cut.rank; k++) factor[row * rank + k] = left[k * full + row];
  }
  for (let j = 0; j < q; j++) {
    factor.set(fit.coefficients.subarray(j * cut.rank, (j + 1) * cut.rank), (full + j) * rank);
    factor.set(extra.factor.subarray(j * extra.rank, (j + 1) * extra.rank), (full + j) * rank + cut.rank);
  }
  const rest2 = new Float64Array(rank * columns);
  rest2.set(known);
  rest2.set(extra.rest, known.length);
  // The filled rows are no unit vectors; later errors keep their size only behind orthonormal columns.
  const orthonormal = qr(factor, rows, rank);
  return {
    factor: orthonormal.q,
    rest: multiply(orthonormal.r, rest2, orthonormal.size, rank, columns),
    rank: orthonormal.size,
    droppedSquares: cut.droppedSquares + extra.droppedSquares,
  };
}

/** Columns of the first unfolding in which a digit with `rest` rows has elements. */
function givenColumns({ rowShape, columnShape }: Pick<TTShape, "rowShape" | "columnShape">, rest: number): Int32Array {
  const innerColumns = columnShape.slice(1);
  const ones = new Float64Array(rest * innerColumns.reduce((a, b) => a * b, 1)).fill(1);
  const mask = modeTensor(ones, rowShape.slice(1), innerColumns);
  const given = new Int32Array(ones.length);
  let to = 0;
  for (let column = 0; column < mask.length; column++) if (mask[column] === 1) given[to++] = column;
  return given;
}

/** Fits rows in the span of `known` over the given columns; the residual is 0 in the others. */
function fitPartialRows(
  partial: Float64Array,
  known: Float64Array,
  norms: Float64Array,
  given: Int32Array,
  rank: number,
  count: number,
): { coefficients: Float64Array; residual: Float64Array } {
  const columns = partial.length / count;
  // The rows of `known` have the singular values as their norms; unit rows make the fit well scaled.
  const inverse = Float64Array.from({ length: rank }, (_, k) => (norms[k] > FIT_NOISE * norms[0] ? 1 / norms[k] : 0));
  const basis = new Float64Array(rank * given.length);
  for (let k = 0; k < rank; k++) {
    for (let i = 0; i < given.length; i++) basis[k * given.length + i] = known[k * columns + given[i]] * inverse[k];
  }
  const gram = new Float64Array(rank * rank);
  for (let a = 0; a < rank; a++) {
    for (let b = 0; b <= a; b++) {
      gram[a * rank + b] = dot(basis, a * given.length, basis, b * given.length, given.length);
      gram[b * rank + a] = gram[a * rank + b];
    }
  }
  const solve = ridgeSolver(gram, rank, RIDGE);
  const coefficients = new Float64Array(count * rank);
  const residual = new Float64Array(partial.length);
  for (let j = 0; j < count; j++) {
    const left = Float64Array.from(given, (column) => partial[j * columns + column]);
    // The normal equations lose half of the digits; solving for what is left brings them back.
    for (let refinement = 0; refinement < 3; refinement++) {
      const b = Float64Array.from({ length: rank }, (_, k) => dot(basis, k * given.length, left, 0, given.length));
      const change = solve(b);
      for (let k = 0; k < rank; k++) {
        coefficients[j * rank + k] += change[k] * inverse[k];
        addScaled(-change[k], basis, k * given.length, left, 0, given.length);
      }
    }
    for (let i = 0; i < given.length; i++) residual[j * columns + given[i]] = left[i];
  }
  return { coefficients, residual };
}

/** Splits what the fit left; no direction where that is within the budget, or rounding, or the rank is used up. */
function extraDirections(
  residual: Float64Array,
  rows: number,
  columns: number,
  budget: number,
  maxRank: number,
  noiseSquares: number,
): SplitBond {
  const droppedSquares = dot(residual, 0, residual, 0, residual.length);
  if (maxRank < 1 || droppedSquares <= Math.max(budget, noiseSquares)) {
    return { factor: new Float64Array(0), rest: new Float64Array(0), rank: 0, droppedSquares };
  }
  return splitBond(residual, rows, columns, budget, maxRank);
}
