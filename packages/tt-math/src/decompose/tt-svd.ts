import { TtError } from "@tt-rec/tensor";
import { leftSingularVectors } from "../linear-algebra/left-singular-vectors.ts";
import { addScaled, dot } from "../linear-algebra/vector-loops.ts";
import { coreShape, createTTShape } from "../shape/tt-shape.ts";
import type { TTCores } from "../tt-cores.ts";
import { modeTensor } from "./mode-tensor.ts";

/** What `ttSvd` aims at. */
export interface TTSvdOptions {
  /** Rows n of the table. */
  readonly numEmbeddings: number;
  /** Row factors p; prod(p) ≥ n; the surplus rows count as zeros, which can raise the ranks. */
  readonly rowShape: readonly number[];
  /** Column factors q; prod(q) is the number of columns D. */
  readonly columnShape: readonly number[];
  /** Largest rank: one for all bonds, or one a bond (d − 1 of them). Default no bound. */
  readonly maxRank?: number | readonly number[];
  /** Relative Frobenius error that is allowed, in [0, 1). Default 0: only rounding noise is dropped. */
  readonly epsilon?: number;
}

/** A table in TT format and what it lost. */
export interface TTSvdResult extends TTCores {
  /**
   * Frobenius norm of the error over the norm of the table, from the dropped singular values in float64; the rounding of
   * the cores to float32, about 1e-7, comes on top. 0 for a table of zeros.
   */
  readonly relativeError: number;
}

/** Part of the norm below which singular values are rounding noise of float64, and far below float32. */
const NOISE = 1e-14;

/**
 * Decomposes a dense row-major table [n, D] into TT-cores by sequential SVDs of its unfoldings (TT-SVD, Oseledets 2011).
 *
 * Each of the d − 1 truncations may drop epsilon·‖W‖/√(d−1), which keeps the whole relative error at most `epsilon`
 * where `maxRank` does not bind. The squares of what is dropped add up exactly to the square of the error. Works in
 * float64 on one copy of the table padded to prod(p)·D, and on little more.
 *
 * Throws E_SHAPE or E_OPTION for factors and options that do not fit, E_NONFINITE when the table holds NaN or infinity
 * or its norm overflows.
 */
export function ttSvd(matrix: Float32Array | Float64Array, options: TTSvdOptions): TTSvdResult {
  const { numEmbeddings, rowShape, columnShape, epsilon = 0 } = options;
  const d = rowShape.length;
  const embeddingDim = columnShape.reduce((a, b) => a * b, 1);
  createTTShape({ numEmbeddings, embeddingDim, rowShape, columnShape, ranks: 1 });
  const maxRanks = checkMaxRank(options.maxRank ?? Number.POSITIVE_INFINITY, d - 1);
  if (!(epsilon >= 0 && epsilon < 1)) throw new TtError("E_OPTION", `epsilon = ${epsilon} is not in [0, 1)`);
  if (matrix.length !== numEmbeddings * embeddingDim) {
    throw new TtError("E_SHAPE", `the matrix has ${matrix.length} elements, ${numEmbeddings} x ${embeddingDim} were expected`);
  }
  const badElement = matrix.findIndex((value) => !Number.isFinite(value));
  if (badElement >= 0) throw new TtError("E_NONFINITE", `matrix[${badElement}] = ${matrix[badElement]} is not finite`);

  let rest = modeTensor(matrix, rowShape, columnShape);
  const norm = Math.sqrt(dot(rest, 0, rest, 0, rest.length));
  if (!Number.isFinite(norm)) throw new TtError("E_NONFINITE", "the sum of the squared elements of the matrix overflows float64");
  const allowed = Math.max(epsilon / Math.sqrt(d - 1), NOISE) * norm;
  const ranks = [1];
  const factors: Float64Array[] = [];
  let dropped = 0;
  for (let k = 0; k < d - 1; k++) {
    const rows = ranks[k] * rowShape[k] * columnShape[k];
    const columns = rest.length / rows;
    const { values, vectors } = leftSingularVectors(rest, rows, columns);
    const cut = truncate(values, allowed, maxRanks[k]);
    dropped += cut.droppedSquares;
    const left = vectors(cut.rank);
    rest = project(left, rest, rows, columns, cut.rank);
    factors.push(left);
    ranks.push(cut.rank);
  }
  factors.push(rest);

  const shape = createTTShape({ numEmbeddings, embeddingDim, rowShape, columnShape, ranks: ranks.slice(1) });
  const cores = factors.map((factor, k) => toCore(factor, coreShape(shape, k), k < d - 1));
  return { shape, cores, relativeError: norm === 0 ? 0 : Math.sqrt(dropped) / norm };
}

function checkMaxRank(maxRank: number | readonly number[], bonds: number): readonly number[] {
  if (typeof maxRank === "number") return checkMaxRank(new Array<number>(bonds).fill(maxRank), bonds);
  if (maxRank.length !== bonds) throw new TtError("E_SHAPE", `maxRank has ${maxRank.length} entries for ${bonds} bonds`);
  for (const rank of maxRank) {
    if (!(rank >= 1) || (rank !== Number.POSITIVE_INFINITY && !Number.isInteger(rank))) {
      throw new TtError("E_OPTION", `maxRank = ${rank} is not a positive integer`);
    }
  }
  return maxRank;
}

/** The smallest rank that drops a tail of norm at most `allowed`, bounded by `maxRank`, and what it drops. */
function truncate(values: Float64Array, allowed: number, maxRank: number): { rank: number; droppedSquares: number } {
  let rank = values.length;
  let droppedSquares = 0;
  while (rank > 1) {
    const withNext = droppedSquares + values[rank - 1] ** 2;
    if (rank <= maxRank && withNext > allowed * allowed) break;
    droppedSquares = withNext;
    rank--;
  }
  return { rank, droppedSquares };
}

/** Uᵀ·A: what is left of a row-major [rows, columns] matrix in the basis of its left vectors, row-major [rank, columns]. */
function project(left: Float64Array, matrix: Float64Array, rows: number, columns: number, rank: number): Float64Array {
  const result = new Float64Array(rank * columns);
  const block = 512;
  for (let begin = 0; begin < columns; begin += block) {
    const length = Math.min(block, columns - begin);
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < rank; k++) {
        addScaled(left[k * rows + row], matrix, row * columns + begin, result, k * columns + begin, length);
      }
    }
  }
  return result;
}

/** Rounds a factor to float32 and moves the row digit to the front: [r, p, q, r'] becomes [p, r, q, r']. */
function toCore(factor: Float64Array, [p, left, q, right]: readonly number[], vectorsFirst: boolean): Float32Array {
  const core = new Float32Array(factor.length);
  const rows = left * p * q;
  let to = 0;
  for (let i = 0; i < p; i++) {
    for (let a = 0; a < left; a++) {
      for (let j = 0; j < q; j++) {
        const row = (a * p + i) * q + j;
        // The left vectors lie one after the other; the last factor is a row-major [r, p·q] matrix.
        for (let b = 0; b < right; b++) core[to++] = factor[vectorsFirst ? b * rows + row : row];
      }
    }
  }
  return core;
}
