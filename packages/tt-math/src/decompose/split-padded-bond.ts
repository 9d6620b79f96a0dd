import { leftSingularVectors } from "../linear-algebra/left-singular-vectors.ts";
import { multiply, project } from "../linear-algebra/products.ts";
import { qr } from "../linear-algebra/qr.ts";
import { dot } from "../linear-algebra/vector-loops.ts";
import type { TTShape } from "../shape/tt-shape.ts";
import { extraDirections, fitRows } from "./fit-rows.ts";
import { modeTensor } from "./mode-tensor.ts";
import { type SplitBond, splitBond } from "./split-bond.ts";
import { cutTail } from "./truncation.ts";

/**
 * Keeps the filled rows bounded where few elements of them are given: to 1/(2·√ridge) times the table, so that their
 * rounding costs at most 1e-10 of it.
 */
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
  const at = (matrix: Float64Array, row: number): Float64Array =>
    Float64Array.from(given, (column) => matrix[row * columns + column]);
  const fit = fitRows(
    Array.from({ length: cut.rank }, (_, k) => at(known, k)),
    spectrum.values,
    Array.from({ length: q }, (_, j) => at(tensor, full + j)),
    RIDGE,
  );
  const noiseSquares = FIT_NOISE * FIT_NOISE * dot(tensor, 0, tensor, 0, tensor.length);
  const budget = Math.max(0, allowedSquares - cut.droppedSquares);
  const extra = extraDirections(fit.residual, q, budget, maxRank - cut.rank, noiseSquares);
  const rank = cut.rank + extra.rank;
  const factor = new Float64Array(rows * rank);
  for (let row = 0; row < full; row++) {
    for (let k = 0; k < cut.rank; k++) factor[row * rank + k] = left[k * full + row];
  }
  for (let j = 0; j < q; j++) {
    factor.set(fit.coefficients.subarray(j * cut.rank, (j + 1) * cut.rank), (full + j) * rank);
    factor.set(extra.factor.subarray(j * extra.rank, (j + 1) * extra.rank), (full + j) * rank + cut.rank);
  }
  const allRows = new Float64Array(rank * columns);
  allRows.set(known);
  for (let k = 0; k < extra.rank; k++) {
    for (let i = 0; i < given.length; i++) {
      allRows[(cut.rank + k) * columns + given[i]] = extra.rest[k * given.length + i];
    }
  }
  // The filled rows are no unit vectors; later errors keep their size only behind orthonormal columns.
  const orthonormal = qr(factor, rows, rank);
  return {
    factor: orthonormal.q,
    rest: multiply(orthonormal.r, allRows, orthonormal.size, rank, columns),
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
