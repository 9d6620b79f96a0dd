import { leftSingularVectors } from "../linear-algebra/left-singular-vectors.ts";
import { project } from "../linear-algebra/products.ts";
import { transpose } from "../linear-algebra/qr.ts";
import { cutTail } from "./truncation.ts";

/** An unfolding split into a factor with orthonormal columns and what is left. */
export interface SplitBond {
  /** Row-major [rows, rank]. */
  readonly factor: Float64Array;
  /** Row-major [rank, columns]. */
  readonly rest: Float64Array;
  /** New rank of the bond. */
  readonly rank: number;
  /** Square of the Frobenius norm of what was dropped. */
  readonly droppedSquares: number;
}

/** Splits a row-major [rows, columns] matrix by its truncated singular value decomposition. */
export function splitBond(
  matrix: Float64Array,
  rows: number,
  columns: number,
  allowedSquares: number,
  maxRank: number,
): SplitBond {
  const { values, vectors } = leftSingularVectors(matrix, rows, columns);
  const { rank, droppedSquares } = cutTail(values, allowedSquares, maxRank);
  const left = vectors(rank);
  return { factor: transpose(left, rank, rows), rest: project(left, matrix, rows, columns, rank), rank, droppedSquares };
}
