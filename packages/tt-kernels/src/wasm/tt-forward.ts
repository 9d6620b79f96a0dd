import type { KernelHost, Tensor } from "@tt-rec/tensor";
import type { Phases } from "../phases.ts";
import type { TTCores } from "../tt-cores.ts";
import { type Reserve, writeRecord } from "./batch-arrays.ts";
import type { BagKernels } from "./kernels.ts";
import { taskOf, timeOf } from "./tasks.ts";
import type { PlannedBatch } from "./tt-plan.ts";

/** Nodes whose products are computed before their rows are; as the kernel has it. */
const BLOCK = 16;

/** Units that share the nodes of a batch where only a block of products each is kept. */
const LANES = 4;

/** Products of a batch: offsets on the heap. */
export interface Products {
  /** Pointers to the rows of the parents' products, level by level from 1 on. */
  readonly pointers: readonly number[];
  /** Products of the inner levels from 1 on. */
  readonly products: readonly number[];
  /** The last core, or a copy with those of its slices transposed that the batch touches, as the kernels want it. */
  readonly slices: number;
  /** Distinct rows [uniqueRows, D]. */
  readonly rows: number;
}

/**
 * Computes the distinct rows of a batch. With `keep` all products stay for the backward pass; without, a few blocks of
 * them are all that is held, so scoring needs little more than the rows.
 */
export function* computeProducts(
  host: KernelHost,
  reserve: Reserve,
  kernels: BagKernels,
  { extents, parameters, shape }: TTCores,
  batch: PlannedBatch,
  keep: boolean,
): Phases<Products> {
  const { left, rank, right } = extents;
  const last = parameters.length - 1;
  const { levels } = batch;
  const lastCore = parameters[last];
  const liesReady = right[last] % 4 === 0 && rank[last] % 4 === 0;
  const slices = liesReady ? lastCore.weights.byteOffset : reserve(lastCore.weightBytes);
  if (!liesReady) {
    const transpose = [batch.segmentDigits, lastCore.weights.byteOffset, rank[last], right[last], slices];
    const perSlice = timeOf(0, 4 * lastCore.sliceSize);
    yield {
      tasks: [taskOf(kernels.transposeSlices, writeRecord(host, reserve, transpose), batch.segments, perSlice)],
      nanoseconds: batch.segments * perSlice,
    };
  }
  const pointers = [0];
  const products = [0];
  const streams = !keep && last >= 2;
  let extend = 0;
  for (let k = 1; k < last; k++) {
    const nodes = streams && k === last - 1 ? BLOCK * LANES : levels[k].count;
    pointers.push(reserve(4 * nodes * left[k]));
    products.push(reserve(4 * nodes * left[k] * right[k]));
    extend = writeRecord(host, reserve, [
      levels[k].record,
      levels[k - 1].record,
      k === 1 ? parameters[0].weights.byteOffset : products[k - 1],
      4 * left[k] * rank[k],
      k === 1 ? 1 : 0,
      parameters[k].weights.byteOffset,
      left[k],
      rank[k],
      right[k],
      pointers[k],
      products[k],
    ]);
    if (k === last - 1) continue;
    const time = timeOf(2 * left[k] * rank[k] * right[k]);
    yield { tasks: [taskOf(kernels.extendNodes, extend, levels[k].count, time)], nanoseconds: levels[k].count * time };
  }
  const rows = reserve(4 * batch.uniqueRows * shape.embeddingDim);
  const { count, record } = levels[last - 1];
  const words = [
    extend,
    record,
    batch.rowDigits,
    slices,
    left[last],
    rank[last],
    right[last],
    rows,
    parameters[0].weights.byteOffset,
    streams ? LANES : 0,
  ];
  const perRow = timeOf(2 * left[last] * rank[last] * right[last], 4 * rank[last] * right[last]);
  const perNode = last === 1 ? 0 : timeOf(2 * left[last - 1] * rank[last - 1] * right[last - 1]);
  const nanoseconds = count * perNode + batch.uniqueRows * perRow;
  const units = streams ? LANES : count;
  const { kernel, args, grain } = taskOf(
    kernels.computeRows,
    writeRecord(host, reserve, words),
    units,
    nanoseconds / Math.max(1, units),
  );
  // Whole blocks, so that a block is not cut in two.
  yield { tasks: [{ kernel, args, units, grain: streams ? 1 : Math.ceil(grain / BLOCK) * BLOCK }], nanoseconds };
  return { pointers, products, slices, rows };
}

/** Pools the rows of a batch into its outputs. */
export function* poolOutputs(
  host: KernelHost,
  reserve: Reserve,
  kernels: BagKernels,
  batch: { readonly offsets: number; readonly coefficients: number; readonly positions: number },
  rowOf: number,
  rows: number,
  out: Pick<Tensor, "shape" | "byteOffset">,
): Phases<void> {
  const [outputs, dim] = out.shape;
  const record = writeRecord(host, reserve, [batch.offsets, rowOf, batch.coefficients, dim, rows, out.byteOffset]);
  const nanoseconds = batch.positions * timeOf(dim, 4 * dim);
  yield { tasks: [taskOf(kernels.poolRows, record, outputs, nanoseconds / Math.max(1, outputs))], nanoseconds };
}
