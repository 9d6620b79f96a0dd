import { type Runtime, type Tensor, TtError } from "@tt-rec/tensor";
import { coreShape } from "../../shape/tt-shape.ts";
import { checkCores, type TTCores } from "../../tt-cores.ts";
import { toFactor } from "../factors.ts";
import { positions } from "../mode-tensor.ts";
import { Buffers } from "./buffers.ts";
import type { RowSource } from "./row-source.ts";
import { slabLayout } from "./slab-layout.ts";

/** How `approximationError` measures. */
export interface ApproximationErrorOptions {
  /** Accesses of each row; with them the error that lookups see is measured as well. */
  readonly counts?: ArrayLike<number>;
  /** Told after each piece how many rows were read. */
  readonly onRows?: (rows: number) => void;
}

/** How far TT-cores are from a table; padding rows do not count. */
export interface ApproximationError {
  /** ‖W − TT‖ / ‖W‖ in the Frobenius norm; 0 for a table of zeros that is matched. */
  readonly relativeError: number;
  /** The same with each row weighted by the root of its count; present with counts. */
  readonly weightedError?: number;
}

/**
 * Measures the error of TT-cores on every row of a table, which is read once and in pieces.
 *
 * Throws E_SHAPE where cores, table and counts do not fit together.
 */
export async function approximationError(
  runtime: Runtime,
  source: RowSource,
  tt: TTCores,
  { counts, onRows }: ApproximationErrorOptions = {},
): Promise<ApproximationError> {
  checkCores(tt);
  const { shape } = tt;
  const { numEmbeddings, embeddingDim } = source;
  if (shape.numEmbeddings !== numEmbeddings || shape.embeddingDim !== embeddingDim) {
    throw new TtError(
      "E_SHAPE",
      `the cores stand for ${shape.numEmbeddings} x ${shape.embeddingDim}, the table has ${numEmbeddings} x ${embeddingDim}`,
    );
  }
  if (counts !== undefined && counts.length !== numEmbeddings) {
    throw new TtError("E_SHAPE", `there are ${counts.length} counts for the ${numEmbeddings} rows of the table`);
  }
  const buffers = new Buffers(runtime);
  try {
    const sums = await sumErrors(runtime, buffers, source, tt, counts, onRows);
    const relative = (error: number, norm: number): number => (error === 0 ? 0 : Math.sqrt(error / norm));
    return {
      relativeError: relative(sums.error, sums.norm),
      ...(counts !== undefined && { weightedError: relative(sums.weightedError, sums.weightedNorm) }),
    };
  } finally {
    buffers.release();
  }
}

async function sumErrors(
  runtime: Runtime,
  buffers: Buffers,
  source: RowSource,
  tt: TTCores,
  counts: ArrayLike<number> | undefined,
  onRows: ((rows: number) => void) | undefined,
) {
  const { shape } = tt;
  const { numEmbeddings, embeddingDim, rowShape, columnShape, ranks } = shape;
  const { slabRows, chunkSlabs, q, columns } = slabLayout(shape);
  const { rows: rowAt, columns: columnAt } = positions(rowShape.slice(1), columnShape.slice(1));
  const inner = columnAt.length;
  const first = toFactor(tt.cores[0], coreShape(shape, 0));
  const rest = await behindFirst(runtime, buffers, tt);
  const left = buffers.take([chunkSlabs * q, ranks[1]]);
  const product = buffers.take([chunkSlabs * q, columns]);
  const sums = { error: 0, norm: 0, weightedError: 0, weightedNorm: 0 };
  for (let begin = 0; begin < numEmbeddings; begin += chunkSlabs * slabRows) {
    const end = Math.min(begin + chunkSlabs * slabRows, numEmbeddings);
    const rows = await source.read(begin, end);
    const { data: leftData } = left;
    leftData.fill(0);
    leftData.set(first.subarray((begin / slabRows) * q * ranks[1], Math.ceil(end / slabRows) * q * ranks[1]));
    await runtime.kernels.gemm("nn", left, rest, product);
    const { data } = product;
    for (let row = begin, from = 0; row < end; row++) {
      const slab = Math.floor((row - begin) / slabRows);
      const at = rowAt[row - begin - slab * slabRows];
      let [error, norm] = [0, 0];
      for (let j = 0; j < q; j++) {
        const base = (slab * q + j) * columns + at;
        for (let c = 0; c < inner; c++, from++) {
          const value = rows[from];
          const difference = value - data[base + columnAt[c]];
          error += difference * difference;
          norm += value * value;
        }
      }
      sums.error += error;
      sums.norm += norm;
      if (counts !== undefined) {
        sums.weightedError += counts[row] * error;
        sums.weightedNorm += counts[row] * norm;
      }
    }
    onRows?.(rows.length / embeddingDim);
  }
  return sums;
}

/** The product of all cores but the first, row-major [R1, p2·q2·…]. */
async function behindFirst(runtime: Runtime, buffers: Buffers, { shape, cores }: TTCores): Promise<Tensor> {
  const { ranks } = shape;
  const factorTensor = (k: number): Tensor => {
    const factor = toFactor(cores[k], coreShape(shape, k));
    const tensor = buffers.take([factor.length / ranks[k + 1], ranks[k + 1]]);
    tensor.data.set(factor);
    return tensor;
  };
  let product = factorTensor(cores.length - 1);
  for (let k = cores.length - 2; k >= 1; k--) {
    const factor = factorTensor(k);
    const right = product.reshape([ranks[k + 1], product.size / ranks[k + 1]]);
    product = buffers.take([factor.shape[0], right.shape[1]]);
    await runtime.kernels.gemm("nn", factor, right, product);
  }
  return product.reshape([ranks[1], product.size / ranks[1]]);
}
