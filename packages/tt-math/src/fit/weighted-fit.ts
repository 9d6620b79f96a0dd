import { TtError } from "@tt-rec/tensor";
import { orthogonalizeRight, type Train, toTrain, toTT } from "../decompose/orthogonalize.ts";
import { multiply } from "../linear-algebra/products.ts";
import { qr } from "../linear-algebra/qr.ts";
import type { TTCores } from "../tt-cores.ts";
import { fitCore } from "./fit-core.ts";
import { leftInterface, rightInterface } from "./interfaces.ts";

/** How `weightedFit` works. */
export interface WeightedFitOptions {
  /** Passes over all cores at most; default 12. It ends earlier when one gains less than a thousandth. */
  readonly sweeps?: number;
  /** Told after each pass how many are done and the weighted error. */
  readonly onSweep?: (sweep: number, weightedError: number) => void;
}

/** Cores that were fitted to accesses. */
export interface WeightedFitResult extends TTCores {
  /** The root of Σ w‖W − TT‖² / Σ w‖W‖² over the rows: the relative error that lookups see. */
  readonly weightedError: number;
  /** Passes done. */
  readonly sweeps: number;
}

/** Part of the mean count that a row has as a weight besides its own count, so that rows never seen do not drift away. */
const FLOOR = 0.1;

/** A pass that gains less than this part of the error is the last. */
const GAIN = 1e-3;

/**
 * Fits cores to a table with its rows weighted by their accesses, by alternating least squares from `start`, such as the result of
 * `ttSvd`. Shape and ranks stay. The bytes are the same, and the rows that are looked up most are met best.
 *
 * The weight of a row is its count and a tenth of the mean count; padding rows have none. No pass raises the weighted error. The
 * table is in memory, and in float64 a few times R·n^(2/3)·D numbers.
 *
 * Throws E_SHAPE where table, counts and cores do not fit together, E_OPTION for a count that is negative or not finite, or sweeps
 * that are no positive integer, E_NONFINITE for a table or cores that are not finite.
 */
export function weightedFit(
  matrix: Float32Array,
  counts: ArrayLike<number>,
  start: TTCores,
  { sweeps = 12, onSweep }: WeightedFitOptions = {},
): WeightedFitResult {
  const { shape } = start;
  if (!Number.isInteger(sweeps) || sweeps < 1) throw new TtError("E_OPTION", `sweeps = ${sweeps} is not a positive integer`);
  const train = toTrain(start);
  const { weights, squares } = checkTable(matrix, counts, start);
  let before = Number.POSITIVE_INFINITY;
  for (let sweep = 1; ; sweep++) {
    const errorSquares = Math.max(0, squares + fitOnce(train, matrix, weights, start));
    const weightedError = squares === 0 ? 0 : Math.sqrt(errorSquares / squares);
    onSweep?.(sweep, weightedError);
    if (sweep === sweeps || weightedError >= (1 - GAIN) * before) return { ...toTT(shape, train), weightedError, sweeps: sweep };
    before = weightedError;
  }
}

/** Fits each core once, from the first to the last. Returns the change of the weighted squares against a table of zeros. */
function fitOnce(train: Train, matrix: Float32Array, weights: Float64Array, { shape }: TTCores): number {
  const { factors, ranks } = train;
  const { rowShape, columnShape, numEmbeddings } = shape;
  const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);
  // Orthonormal neighbours make a slice's equations well conditioned.
  orthogonalizeRight(train, 0);
  let change = 0;
  for (let k = 0; k < factors.length; k++) {
    const problem = {
      matrix,
      weights,
      numEmbeddings,
      p: rowShape[k],
      q: columnShape[k],
      leftRank: ranks[k],
      rightRank: ranks[k + 1],
      prefixes: product(rowShape.slice(0, k)),
      prefixColumns: product(columnShape.slice(0, k)),
      suffixes: product(rowShape.slice(k + 1)),
      suffixColumns: product(columnShape.slice(k + 1)),
      left: leftInterface(factors, ranks, k, rowShape, columnShape),
      right: rightInterface(factors, ranks, k, rowShape, columnShape),
    };
    change = fitCore(problem, factors[k]);
    if (k + 1 < factors.length) moveCenter(train, k);
  }
  return change;
}

/** Gives core k orthonormal columns and the rest to the next one. */
function moveCenter({ factors, ranks }: Train, k: number): void {
  const columns = ranks[k + 1];
  const { q, r, size } = qr(factors[k], factors[k].length / columns, columns);
  factors[k] = q;
  factors[k + 1] = multiply(r, factors[k + 1], size, columns, factors[k + 1].length / columns);
  ranks[k + 1] = size;
}

function checkTable(matrix: Float32Array, counts: ArrayLike<number>, { shape }: TTCores) {
  const { numEmbeddings, embeddingDim } = shape;
  if (matrix.length !== numEmbeddings * embeddingDim) {
    throw new TtError("E_SHAPE", `the matrix has ${matrix.length} elements, ${numEmbeddings} x ${embeddingDim} were expected`);
  }
  if (counts.length !== numEmbeddings) {
    throw new TtError("E_SHAPE", `there are ${counts.length} counts for the ${numEmbeddings} rows of the table`);
  }
  let total = 0;
  for (let row = 0; row < numEmbeddings; row++) {
    if (!(counts[row] >= 0 && counts[row] < Number.POSITIVE_INFINITY)) {
      throw new TtError("E_OPTION", `counts[${row}] = ${counts[row]} is not a finite number of at least 0`);
    }
    total += counts[row];
  }
  const mean = total / numEmbeddings;
  // Scaled to a mean of about 1; without any access all rows count alike.
  const weights = Float64Array.from({ length: numEmbeddings }, (_, row) => (mean === 0 ? 1 : counts[row] / mean + FLOOR));
  let squares = 0;
  for (let row = 0, at = 0; row < numEmbeddings; row++) {
    let sum = 0;
    for (let column = 0; column < embeddingDim; column++, at++) sum += matrix[at] * matrix[at];
    if (!Number.isFinite(sum)) throw new TtError("E_NONFINITE", `row ${row} of the table is not finite`);
    squares += weights[row] * sum;
  }
  return { weights, squares };
}
