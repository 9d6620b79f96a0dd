import { TtError } from "@tt-rec/tensor";
import { dot } from "../linear-algebra/vector-loops.ts";
import { createTTShape, type TTShape } from "../shape/tt-shape.ts";
import type { TTCores } from "../tt-cores.ts";
import { multiplyOut, toCores } from "./factors.ts";
import { modeTensor } from "./mode-tensor.ts";
import { extremeExponent, scaleByPower, spreadPower } from "./scaling.ts";
import { splitBond } from "./split-bond.ts";
import { splitPaddedBond } from "./split-padded-bond.ts";
import { type CheckedTruncation, checkTruncation, type Truncation, tighterEpsilon } from "./truncation.ts";

/** What `ttSvd` aims at. */
export interface TTSvdOptions extends Truncation {
  /** Rows n of the table. */
  readonly numEmbeddings: number;
  /** Row factors p; prod(p) ≥ n; the surplus rows are free: they raise no rank and count in no error. */
  readonly rowShape: readonly number[];
  /** Column factors q; prod(q) is the number of columns D. */
  readonly columnShape: readonly number[];
}

/** A table in TT format and what it lost. */
export interface TTSvdResult extends TTCores {
  /**
   * Frobenius norm of the error over the norm of the table, in float64; the rounding of the cores to float32, about 1e-7,
   * comes on top. 0 for a table of zeros.
   */
  readonly relativeError: number;
}

/** Part of the norm below which singular values are rounding noise of float64, and far below float32. */
const NOISE = 1e-14;

/**
 * Decomposes a dense row-major table [n, D] into TT-cores by sequential SVDs of its unfoldings (TT-SVD, Oseledets 2011).
 *
 * Each of the d − 1 truncations may drop epsilon·‖W‖/√(d−1), which keeps the whole relative error at most `epsilon`
 * where `maxRank` does not bind. Works in float64 on one copy of the table padded to prod(p)·D, and on little more. For
 * tables of millions of rows there is `streamedTTSvd`.
 *
 * Throws E_SHAPE or E_OPTION for factors and options that do not fit, E_NONFINITE when the table holds NaN or infinity,
 * or a number beyond float32.
 */
export function ttSvd(matrix: Float32Array | Float64Array, options: TTSvdOptions): TTSvdResult {
  const { numEmbeddings, rowShape, columnShape } = options;
  const d = rowShape.length;
  const embeddingDim = columnShape.reduce((a, b) => a * b, 1);
  createTTShape({ numEmbeddings, embeddingDim, rowShape, columnShape, ranks: 1 });
  const truncation = checkTruncation(options, d - 1);
  checkMatrix(matrix, numEmbeddings, embeddingDim);
  for (let target = truncation.epsilon; ; ) {
    const found = decompose(matrix, options, embeddingDim, { ...truncation, epsilon: target });
    const next = tighterEpsilon(truncation, target, found.relativeError, found.shape.ranks);
    if (next === undefined) return found;
    target = next;
  }
}

function decompose(
  matrix: Float32Array | Float64Array,
  options: TTSvdOptions,
  embeddingDim: number,
  { maxRanks, epsilon }: CheckedTruncation,
): TTSvdResult {
  const { numEmbeddings, rowShape, columnShape } = options;
  const d = rowShape.length;
  const exponent = extremeExponent(matrix);
  let rest = modeTensor(matrix, rowShape, columnShape);
  scaleByPower(rest, -exponent);
  const norm = Math.sqrt(dot(rest, 0, rest, 0, rest.length));
  const allowedSquares = (Math.max(epsilon / Math.sqrt(d - 1), NOISE) * norm) ** 2;
  const ranks = [1];
  const factors: Float64Array[] = [];
  let droppedSquares = 0;
  for (let k = 0; k < d - 1; k++) {
    const rows = ranks[k] * rowShape[k] * columnShape[k];
    const split =
      k === 0
        ? splitPaddedBond(rest, options, allowedSquares, maxRanks[k])
        : splitBond(rest, rows, rest.length / rows, allowedSquares, maxRanks[k]);
    factors.push(split.factor);
    ranks.push(split.rank);
    rest = split.rest;
    droppedSquares += split.droppedSquares;
  }
  factors.push(rest);

  const shape = createTTShape({ numEmbeddings, embeddingDim, rowShape, columnShape, ranks: ranks.slice(1) });
  const padded = rowShape.reduce((a, b) => a * b, 1) > numEmbeddings;
  // Without padding the squares of what was dropped add up exactly; errors in padding rows must not count.
  const errorSquares = padded ? squaredError(matrix, shape, factors, exponent) : droppedSquares;
  spreadPower(factors, exponent);
  return { shape, cores: toCores(shape, factors), relativeError: norm === 0 ? 0 : Math.sqrt(errorSquares) / norm };
}

function checkMatrix(matrix: Float32Array | Float64Array, numEmbeddings: number, embeddingDim: number): void {
  if (matrix.length !== numEmbeddings * embeddingDim) {
    throw new TtError("E_SHAPE", `the matrix has ${matrix.length} elements, ${numEmbeddings} x ${embeddingDim} were expected`);
  }
  const at = matrix.findIndex((value) => !(Math.abs(value) <= LARGEST));
  if (at < 0) return;
  const what = Number.isFinite(matrix[at]) ? "beyond float32, in which cores are stored" : "not finite";
  throw new TtError("E_NONFINITE", `matrix[${at}] = ${matrix[at]}, row ${Math.floor(at / embeddingDim)}, is ${what}`);
}

/** Largest finite float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** Σ (W − TT)² over the rows of the table, W divided by 2^exponent. */
function squaredError(
  matrix: Float32Array | Float64Array,
  { rowShape, columnShape, ranks }: TTShape,
  factors: readonly Float64Array[],
  exponent: number,
): number {
  const found = multiplyOut(factors, ranks);
  const given = modeTensor(matrix, rowShape, columnShape);
  scaleByPower(given, -exponent);
  const mask = modeTensor(new Float32Array(matrix.length).fill(1), rowShape, columnShape);
  let sum = 0;
  for (let i = 0; i < found.length; i++) if (mask[i] === 1) sum += (found[i] - given[i]) ** 2;
  return sum;
}
