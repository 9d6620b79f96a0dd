import { type Rng, type Runtime, type Tensor, TtError } from "@tt-rec/tensor";
import { createTTShape } from "../../shape/tt-shape.ts";
import { toCores } from "../factors.ts";
import { boundaryOf } from "../split-padded-bond.ts";
import { checkTruncation, tighterEpsilon } from "../truncation.ts";
import type { TTSvdOptions, TTSvdResult } from "../tt-svd.ts";
import { approximationError } from "./approximation-error.ts";
import { Buffers } from "./buffers.ts";
import { firstBond } from "./first-bond.ts";
import { type BondBound, leadingRange } from "./leading-range.ts";
import { measureTable } from "./measure-table.ts";
import type { RowSource } from "./row-source.ts";
import { slabLayout } from "./slab-layout.ts";
import { unfoldingInMemory, unfoldingOf } from "./unfolding.ts";

/** How `streamedTTSvd` works, besides what it aims at. */
export interface StreamedTTSvdOptions extends Omit<TTSvdOptions, "numEmbeddings"> {
  /** Power iterations of a sketch, default 1; each reads the table twice more. More find flat spectra better. */
  readonly powerIterations?: number;
  /** Told after each piece of the table how many rows were read, and about how many will be. */
  readonly onProgress?: (rowsRead: number, rowsToRead: number) => void;
}

/** Float32 sums promise no error below this. */
const SMALLEST_EPSILON = 1e-3;

/**
 * Decomposes a table that is read from where it lies, several times and in pieces, so that no copy of it is ever in memory.
 *
 * The SVD of each unfolding is a randomised one (a sketch with power iterations, seeded by `rng`); its products run on the
 * runtime's kernels in float32. The error is not estimated but measured, in a last pass over the table: it is that of the
 * float32 cores on the rows of the table; padding rows are filled as in `ttSvd`. What a sketch misses counts in the error of
 * its bond, and where that breaks `epsilon` a larger sketch follows. In memory lie a few times R·p2·…·pd·q2·…·qd numbers.
 *
 * Throws as `ttSvd` does, E_OPTION where neither `epsilon` nor `maxRank` is given or an epsilon is below 0.001, and E_SHAPE
 * where the table has fewer rows than a digit of the first core.
 */
export async function streamedTTSvd(
  runtime: Runtime,
  source: RowSource,
  options: StreamedTTSvdOptions,
  rng: Rng,
): Promise<TTSvdResult> {
  const { rowShape, columnShape, epsilon, powerIterations = 1, onProgress } = options;
  const { numEmbeddings, embeddingDim } = source;
  const d = rowShape.length;
  createTTShape({ numEmbeddings, embeddingDim, rowShape, columnShape, ranks: 1 });
  const { maxRanks } = checkBounds(options, d - 1, powerIterations);
  const table = { numEmbeddings, rowShape, columnShape };
  const layout = slabLayout(table);
  if (boundaryOf(table).fullDigits === 0) {
    throw new TtError("E_SHAPE", `a digit of the first core stands for ${layout.slabRows} rows, the table has ${numEmbeddings}`);
  }
  let rowsRead = 0;
  const onRows = (rows: number): void => {
    rowsRead += rows;
    onProgress?.(rowsRead, Math.max(rowsRead, (4 + 2 * powerIterations) * numEmbeddings));
  };

  const { squares, wholeSquares, partialRows } = await measureTable(source, layout, onRows);
  const decompose = async (target: number | undefined): Promise<TTSvdResult> => {
    const allowedSquares = target === undefined ? undefined : (target ** 2 / (d - 1)) * squares;
    const bounds = maxRanks.map((maxRank): BondBound => ({ allowedSquares, maxRank, powerIterations }));
    const buffers = new Buffers(runtime);
    try {
      const slabs = new Buffers(runtime);
      const range = await leadingRange(
        runtime,
        unfoldingOf(slabs, source, layout, table, onRows),
        wholeSquares,
        bounds[0],
        rng,
      ).finally(() => slabs.release());
      const first = await firstBond(runtime, buffers, layout, table, range, partialRows, squares, bounds[0]);
      range.buffers.release();
      const ranks = [1, first.rank];
      const factors = [first.factor];
      let rest = first.rest;
      for (let k = 1; k < d - 1; k++) {
        const rows = ranks[k] * rowShape[k] * columnShape[k];
        const matrix = rest.reshape([rows, rest.size / rows]);
        const next = await leadingRange(runtime, unfoldingInMemory(matrix), sumOfSquares(matrix), bounds[k], rng);
        factors.push(firstColumns(next.basis, rows, next.size, next.rank));
        ranks.push(next.rank);
        rest = buffers.take([next.rank, matrix.shape[1]]);
        rest.data.set(next.tiles[0].data.subarray(0, rest.size));
        next.buffers.release();
      }
      factors.push(Float64Array.from(rest.data));
      const shape = createTTShape({ numEmbeddings, embeddingDim, rowShape, columnShape, ranks: ranks.slice(1) });
      const cores = toCores(shape, factors);
      buffers.release();
      const { relativeError } = await approximationError(runtime, source, { shape, cores }, { onRows });
      return { shape, cores, relativeError };
    } finally {
      buffers.release();
    }
  };
  for (let target = epsilon; ; ) {
    const found = await decompose(target);
    const next =
      target === undefined
        ? undefined
        : tighterEpsilon({ maxRanks, epsilon: epsilon ?? 0 }, target, found.relativeError, found.shape.ranks);
    if (next === undefined) return found;
    target = next;
  }
}

function checkBounds(options: StreamedTTSvdOptions, bonds: number, powerIterations: number) {
  const { maxRanks } = checkTruncation(options, bonds);
  const { epsilon } = options;
  if (epsilon === undefined && options.maxRank === undefined) {
    throw new TtError("E_OPTION", "a streamed decomposition needs an epsilon or a maxRank");
  }
  if (epsilon !== undefined && epsilon < SMALLEST_EPSILON) {
    throw new TtError("E_OPTION", `epsilon = ${epsilon} is below ${SMALLEST_EPSILON}, the least that float32 sums can promise`);
  }
  if (!Number.isInteger(powerIterations) || powerIterations < 0) {
    throw new TtError("E_OPTION", `powerIterations = ${powerIterations} is not a whole number of at least 0`);
  }
  return { maxRanks };
}

/** The first `count` columns of a row-major [rows, columns] matrix. */
function firstColumns(matrix: Float64Array, rows: number, columns: number, count: number): Float64Array {
  const result = new Float64Array(rows * count);
  for (let row = 0; row < rows; row++) result.set(matrix.subarray(row * columns, row * columns + count), row * count);
  return result;
}

function sumOfSquares({ data }: Tensor): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i] * data[i];
  return sum;
}
