import type { KernelHost, Task, Tensor } from "@tt-rec/tensor";
import type { TTCores } from "../tt-cores.ts";
import { copyFloats, type Reserve, writeRecord } from "./batch-arrays.ts";
import type { BagKernels } from "./kernels.ts";
import type { Phase, Phases } from "./phases.ts";
import { taskOf, timeOf } from "./tasks.ts";
import type { Products } from "./tt-forward.ts";
import type { PlannedBatch } from "./tt-plan.ts";

/** Rows of an inner slice that are one unit of work; as the kernel has it. */
const SLICE_ROWS = 16;

/** Nodes that are worth a lane of its own in the sums of the outer cores, and most lanes. */
const [LANE_NODES, MAX_LANES] = [512, 8];

/** Everything that the phases of a backward pass share. */
export interface BackwardContext {
  readonly host: KernelHost;
  readonly reserve: Reserve;
  readonly kernels: BagKernels;
  readonly cores: TTCores;
  readonly batch: PlannedBatch;
  readonly products: Products;
}

/** Gradients of products and rows: offsets on the heap. */
export interface ProductGradients {
  /** Gradients of the distinct rows [uniqueRows, D]. */
  readonly rows: number;
  /** Gradients of the products of the inner levels. */
  readonly products: readonly number[];
  /** Shares of the nodes of level 1 in their parents' gradients. */
  readonly firstShares: number;
}

/** Takes the gradient of the outputs back through rows and products; `weights` receives the gradients of the weights. */
export function* backwardProducts(
  context: BackwardContext,
  gradient: Tensor,
  weights: { readonly factors: Float32Array; readonly gradients: Tensor } | undefined,
): Phases<ProductGradients> {
  const { host, reserve, kernels, cores, batch, products } = context;
  const { left, rank, right } = cores.extents;
  const last = cores.parameters.length - 1;
  const dim = cores.shape.embeddingDim;
  const { levels, uniqueRows } = batch;
  const rows = reserve(4 * uniqueRows * dim);
  const gradients = new Array<number>(last).fill(0);
  const shares = new Array<number>(last).fill(0);
  const allocate = (k: number): void => {
    gradients[k] = reserve(4 * levels[k].count * left[k + 1] * rank[k + 1]);
    if (k > 0) shares[k] = reserve(4 * levels[k].count * left[k] * rank[k]);
  };
  const extendBackward = (k: number): number =>
    writeRecord(host, reserve, [
      ...[levels[k].record, cores.parameters[k].weights.byteOffset, left[k], rank[k], right[k], gradients[k], shares[k]],
    ]);
  allocate(last - 1);
  const gather = writeRecord(host, reserve, [
    ...[batch.order, batch.rowStarts, batch.outputOf, batch.coefficients, dim, gradient.byteOffset, rows],
  ]);
  const record = writeRecord(host, reserve, [
    ...[
      gather,
      levels[last - 1].record,
      batch.rowDigits,
      products.transposed,
      left[last],
      rank[last],
      right[last],
      gradients[last - 1],
    ],
    last === 1 ? 0 : extendBackward(last - 1),
  ]);
  const perNode = last === 1 ? 0 : timeOf(2 * left[last - 1] * rank[last - 1] * right[last - 1]);
  const { count } = levels[last - 1];
  const nanoseconds =
    batch.positions * timeOf(dim, 4 * dim) + uniqueRows * timeOf(2 * left[last] * rank[last] * right[last]) + count * perNode;
  const tasks = [taskOf(kernels.backwardRows, record, count, nanoseconds / Math.max(1, count))];
  if (weights !== undefined) tasks.push(weightsTask(context, gradient, weights));
  yield { tasks, nanoseconds };

  for (let k = last - 2; k >= 1; k--) {
    allocate(k);
    const size = left[k + 1] * rank[k + 1];
    const sum = writeRecord(host, reserve, [levels[k].record, shares[k + 1], size, gradients[k]]);
    yield phase(
      taskOf(kernels.sumChildren, sum, levels[k].count, (levels[k + 1].count / levels[k].count) * timeOf(size, 4 * size)),
    );
    const time = timeOf(2 * left[k] * rank[k] * right[k]);
    yield phase(taskOf(kernels.backwardNodes, extendBackward(k), levels[k].count, time));
  }
  return { rows, products: gradients, firstShares: shares[1] ?? 0 };
}

function weightsTask(
  { host, reserve, kernels, cores, batch, products }: BackwardContext,
  gradient: Tensor,
  weights: { readonly factors: Float32Array; readonly gradients: Tensor },
): Task {
  const dim = cores.shape.embeddingDim;
  const factors = copyFloats(host, reserve, weights.factors);
  const record = writeRecord(host, reserve, [
    ...[batch.rowOf, batch.outputOf, dim, products.rows, gradient.byteOffset, factors, weights.gradients.byteOffset],
  ]);
  return taskOf(kernels.weightGradients, record, batch.positions, dim);
}

/**
 * Sums the gradients of all cores, each by its `Finish` words. The first core is read meanwhile, by the sums of the next;
 * it and the last one are finished in a phase of their own, when their lanes are done.
 */
export function* coreGradients(
  context: BackwardContext,
  gradients: ProductGradients,
  finishes: readonly (readonly number[])[],
): Phases<void> {
  const { host, reserve, kernels, cores, batch, products } = context;
  const { left, rank, right } = cores.extents;
  const last = cores.parameters.length - 1;
  const { levels } = batch;
  const record = (...words: number[]): number => writeRecord(host, reserve, words);
  const finishAt = finishes.map((words) => record(...words));
  const tasks: Task[] = [];
  for (let k = 1; k < last; k++) {
    const { buckets, count } = levels[k];
    const extents = [left[k], rank[k], right[k]];
    const args = record(levels[k].record, ...extents, products.pointers[k], gradients.products[k], finishAt[k]);
    const pieces = buckets * Math.ceil(rank[k] / SLICE_ROWS);
    const time = timeOf(2 * left[k] * rank[k] * right[k] * count) / Math.max(1, pieces);
    tasks.push(taskOf(kernels.innerGradient, args, pieces, time));
  }
  const lanes = Math.min(MAX_LANES, Math.max(1, Math.floor(levels[last - 1].count / LANE_NODES)));
  const isPair = last === 1;
  const lastSize = rank[last] * right[last];
  const lastSums = reserve(4 * lanes * batch.segments * lastSize);
  const lastProducts = isPair ? cores.parameters[0].weights.byteOffset : products.products[last - 1];
  const lastArgs = record(
    ...[levels[last - 1].record, batch.rowSegments, lastProducts, isPair ? 1 : 0, gradients.rows],
    ...[left[last], rank[last], right[last], batch.segments, lanes, lastSums],
  );
  const rowTime = timeOf(4 * left[last] * lastSize, 8 * lastSize);
  tasks.push(taskOf(kernels.sumLast, lastArgs, lanes, (batch.uniqueRows * rowTime) / lanes));
  const firstSize = left[1] * rank[1];
  const firstSlices = levels[0].count;
  const firstSums = reserve(4 * lanes * firstSlices * firstSize);
  const firstLevel = isPair ? levels[0] : levels[1];
  const shares = isPair ? gradients.products[0] : gradients.firstShares;
  const firstArgs = record(firstLevel.record, isPair ? 1 : 0, shares, firstSize, firstSlices, lanes, firstSums);
  tasks.push(taskOf(kernels.sumFirst, firstArgs, lanes, (firstLevel.count * timeOf(firstSize, 8 * firstSize)) / lanes));
  yield phase(...tasks);

  const firstFinish = record(levels[0].bucketDigits, firstSums, lanes, firstSlices, firstSize, 1, finishAt[0]);
  const lastFinish = record(batch.segmentDigits, lastSums, lanes, batch.segments, rank[last], right[last], finishAt[last]);
  yield phase(
    taskOf(kernels.finishSums, firstFinish, firstSlices, timeOf(0, 4 * lanes * firstSize)),
    taskOf(kernels.finishSums, lastFinish, batch.segments, timeOf(0, 4 * lanes * lastSize)),
  );
}

/** A phase whose time is that of its tasks. */
function phase(...tasks: readonly Task[]): Phase {
  // A grain takes about 8 µs.
  return { tasks, nanoseconds: tasks.reduce((sum, { units, grain }) => sum + (8_000 * units) / grain, 0) };
}
