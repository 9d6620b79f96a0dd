import type { KernelHost } from "@tt-rec/tensor";
import type { Phases } from "../phases.ts";
import { type Reserve, writeRecord } from "./batch-arrays.ts";
import type { BagKernels } from "./kernels.ts";
import { taskOf } from "./tasks.ts";

/** Elements of a block, which has a sum of its own; as the kernel has it. */
const BLOCK = 16384;

/** Some floats on the heap. */
export interface FloatRange {
  /** Offset in bytes. */
  readonly offset: number;
  /** Number of floats. */
  readonly count: number;
}

/** The sums of the squares of some ranges, in float64. */
export function* sumsOfSquares(
  host: KernelHost,
  reserve: Reserve,
  kernels: BagKernels,
  ranges: readonly FloatRange[],
): Phases<number[]> {
  const blocks = ranges.map(({ count }) => Math.ceil(count / BLOCK));
  const sums = ranges.map((_, i) => reserve(8 * blocks[i]));
  const perBlock = BLOCK / 4;
  const tasks = ranges.map(({ offset, count }, i) => {
    const record = writeRecord(host, reserve, [offset, sums[i], count]);
    return taskOf(kernels.sumOfSquares, record, blocks[i], perBlock);
  });
  yield { tasks, nanoseconds: ranges.reduce((sum, { count }) => sum + count / 4, 0) };
  return ranges.map((_, i) => {
    let sum = 0;
    for (const part of new Float64Array(host.bytes.buffer, sums[i], blocks[i])) sum += part;
    return sum;
  });
}
