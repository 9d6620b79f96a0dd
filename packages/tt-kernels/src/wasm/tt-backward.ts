import type { KernelHost, Task, Tensor } from "@tt-rec/tensor";
import type { Phase, Phases } from "../phases.ts";
import type { TTCores } from "../tt-cores.ts";
import { copyFloats, type Reserve, writeRecord } from "./batch-arrays.ts";
import type { BagKernels } from "./kernels.ts";
import { type FloatRange, sumsOfSquares } from "./squares.ts";
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
      levels[k].record,
      cores.parameters[k].weights.byteOffset,
      left[k],
      rank[k],
      right[k],
      gradients[k],
      shares[k],
    ]);
  allocate(last - 1);
  const gather = writeRecord(host, reserve, [
    batch.order,
    batch.rowStarts,
    batch.rowOf,
    batch.outputOf,
    batch.coefficients,
    dim,
    gradient.byteOffset,
    rows,
  ]);
  const record = writeRecord(host, reserve, [
    gather,
    levels[last - 1].record,
    batch.rowDigits,
    products.slices,
    left[last],
    rank[last],
    right[last],
    gradients[last - 1],
    last === 1 ? 0 : extendBackward(last - 1),
  ]);
  const perNode = last === 1 ? 0 : timeOf(2 * left[last - 1] * rank[last - 1] * right[last - 1]);
  const { count } = levels[last - 1];
  const nanoseconds =
    batch.lookups * timeOf(dim, 4 * dim) + uniqueRows * timeOf(2 * left[last] * rank[last] * right[last]) + count * perNode;
  const tasks = [taskOf(kernels.backwardRows, record, count, nanoseconds / Math.max(1, count))];
  if (weights !== undefined) tasks.push(weightsTask(context, gradient, weights));
  yield { tasks, nanoseconds };

  for (let k = last - 2; k >= 1; k--) {
    allocate(k);
    const size = left[k + 1] * rank[k + 1];
    const sum = writeRecord(host, reserve, [levels[k].record, shares[k + 1], size, gradients[k]]);
    const children = levels[k + 1].count / levels[k].count;
    yield phase([taskOf(kernels.sumChildren, sum, levels[k].count, children * timeOf(size, 4 * size))]);
    const time = timeOf(2 * left[k] * rank[k] * right[k]);
    yield phase([taskOf(kernels.backwardNodes, extendBackward(k), levels[k].count, time)]);
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
  const finishAt: number[] = [];
  for (const words of finishes) finishAt.push(writeRecord(host, reserve, words));
  const tasks: Task[] = [];
  for (let k = 1; k < last; k++) {
    const { record, buckets, count } = levels[k];
    const words = [record, left[k], rank[k], right[k], products.pointers[k], gradients.products[k], finishAt[k]];
    const pieces = buckets * Math.ceil(rank[k] / SLICE_ROWS);
    const time = timeOf(2 * left[k] * rank[k] * right[k] * count) / Math.max(1, pieces);
    tasks.push(taskOf(kernels.innerGradient, writeRecord(host, reserve, words), pieces, time));
  }
  const lanes = Math.min(MAX_LANES, Math.max(1, Math.floor(levels[last - 1].count / LANE_NODES)));
  const isPair = last === 1;
  const lastSize = rank[last] * right[last];
  const lastSums = reserve(4 * lanes * batch.segments * lastSize);
  const lastArgs = writeRecord(host, reserve, [
    levels[last - 1].record,
    batch.rowSegments,
    isPair ? cores.parameters[0].weights.byteOffset : products.products[last - 1],
    isPair ? 1 : 0,
    gradients.rows,
    left[last],
    rank[last],
    right[last],
    batch.segments,
    lanes,
    lastSums,
  ]);
  const rowTime = timeOf(4 * left[last] * lastSize, 8 * lastSize);
  tasks.push(taskOf(kernels.sumLast, lastArgs, lanes, (batch.uniqueRows * rowTime) / lanes));
  const firstSize = left[1] * rank[1];
  const firstSlices = levels[0].count;
  const firstSums = reserve(4 * lanes * firstSlices * firstSize);
  const firstLevel = isPair ? levels[0] : levels[1];
  const shares = isPair ? gradients.products[0] : gradients.firstShares;
  const firstWords = [firstLevel.record, isPair ? 1 : 0, shares, firstSize, firstSlices, lanes, firstSums];
  const firstTime = (firstLevel.count * timeOf(firstSize, 8 * firstSize)) / lanes;
  tasks.push(taskOf(kernels.sumFirst, writeRecord(host, reserve, firstWords), lanes, firstTime));
  yield phase(tasks);

  const firstFinish = [levels[0].bucketDigits, firstSums, lanes, firstSlices, firstSize, 1, finishAt[0]];
  // Sums whose columns are a multiple of four are not transposed, as if they had one.
  const [lastRank, lastColumns] = right[last] % 4 === 0 ? [lastSize, 1] : [rank[last], right[last]];
  const lastFinish = [batch.segmentDigits, lastSums, lanes, batch.segments, lastRank, lastColumns, finishAt[last]];
  yield phase([
    taskOf(kernels.finishSums, writeRecord(host, reserve, firstFinish), firstSlices, timeOf(0, 4 * lanes * firstSize)),
    taskOf(kernels.finishSums, writeRecord(host, reserve, lastFinish), batch.segments, timeOf(0, 4 * lanes * lastSize)),
  ]);
}

/** Where float32 ends, with room for the rounding of long sums. */
const LARGEST = 3e38;

/**
 * Tells whether all gradients of the cores are sure to be finite, from what is multiplied to make them: an entry of a
 * product is at most the product of the two norms (Cauchy–Schwarz). False says only that they must be looked at.
 */
export function* gradientsAreBounded(context: BackwardContext, gradients: ProductGradients): Phases<boolean> {
  const { host, reserve, kernels, cores, batch, products } = context;
  const { left, rank, right } = cores.extents;
  const last = cores.parameters.length - 1;
  const { levels } = batch;
  const first = cores.parameters[0].weights;
  const operands: FloatRange[] = [{ offset: first.byteOffset, count: first.size }];
  for (let k = 1; k < last; k++) operands.push({ offset: products.products[k], count: levels[k].count * left[k] * right[k] });
  const upstream: FloatRange[] = [];
  for (let k = 1; k < last; k++) upstream.push({ offset: gradients.products[k], count: levels[k].count * left[k] * right[k] });
  upstream.push({ offset: gradients.rows, count: batch.uniqueRows * cores.shape.embeddingDim });
  const shares =
    last === 1
      ? { offset: gradients.products[0], count: levels[0].count * left[1] * rank[1] }
      : { offset: gradients.firstShares, count: levels[1].count * left[1] * rank[1] };
  const squares = yield* sumsOfSquares(host, reserve, kernels, [...operands, ...upstream, shares]);
  const bounds = operands.map((_, k) => Math.sqrt(squares[k]) * Math.sqrt(squares[operands.length + k]));
  const children = last === 1 ? levels[0].count : levels[1].count;
  bounds.push(Math.sqrt(children) * Math.sqrt(squares[squares.length - 1]));
  return bounds.every((bound) => bound < LARGEST);
}

/** A phase whose time is that of its tasks. */
function phase(tasks: readonly Task[]): Phase {
  // A grain takes about 8 µs.
  let nanoseconds = 0;
  for (const { units, grain } of tasks) nanoseconds += (8_000 * units) / grain;
  return { tasks, nanoseconds };
}
