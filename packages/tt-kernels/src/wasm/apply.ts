import type { KernelHost, Parameter, Runtime, Task, UpdateRule, Workspace } from "@tt-rec/tensor";
import type { SliceGradient } from "../embedding-bag.ts";
import { copyFloats, copyWords, writeRecord } from "./batch-arrays.ts";
import { type BagKernels, bagKernels } from "./kernels.ts";
import type { Phases } from "./phases.ts";
import { taskOf, timeOf } from "./tasks.ts";
import { updateBy, updateOf } from "./update-record.ts";

/** Updates parameters that live on the heap from their stacked gradients, all at once. */
export function* applyParts(
  { host }: Runtime,
  kernels: BagKernels,
  parts: readonly (readonly [Parameter, SliceGradient])[],
  rule: UpdateRule,
): Phases<void> {
  const workspace = host.enter();
  try {
    const tasks = parts.map(([parameter, { slices, values }]) => {
      const at = copyWords(host, reserveIn(workspace), slices);
      return applyTask(
        host,
        workspace,
        kernels,
        parameter,
        { slices: at, count: slices.length, values: values.byteOffset },
        rule,
      );
    });
    const elements = parts.reduce((sum, [, { values }]) => sum + values.size, 0);
    yield { tasks, nanoseconds: timeOf(0, 12 * elements) };
  } finally {
    host.leave();
  }
}

function applyTask(
  host: KernelHost,
  workspace: Workspace,
  kernels: BagKernels,
  parameter: Parameter,
  { slices, count, values }: { readonly slices: number; readonly count: number; readonly values: number },
  rule: UpdateRule,
): Task {
  const reserve = reserveIn(workspace);
  const finish = writeRecord(host, reserve, updateOf(rule, parameter));
  const record = writeRecord(host, reserve, [slices, values, parameter.sliceSize, finish]);
  return taskOf(kernels.applySlices, record, count, timeOf(0, 12 * parameter.sliceSize));
}

/**
 * Updates rows of a table that has a memory of its own. Its accumulators have another one; the gradient then goes through
 * theirs first, which divides it by √h + eps.
 */
export async function applyToTable(
  runtime: Runtime,
  table: { readonly parameter: Parameter; readonly host: KernelHost },
  { slices, values }: Pick<SliceGradient, "slices" | "values">,
  rule: UpdateRule,
): Promise<void> {
  const { parameter, host } = table;
  const state = parameter.stateFor(rule);
  const size = parameter.sliceSize;
  const run = async (at: KernelHost, gradient: Float32Array, kernel: "applySlices" | "scaleSlices", finish: readonly number[]) =>
    at.call(async (workspace) => {
      const reserve = reserveIn(workspace);
      const [rows, copy] = [copyWords(at, reserve, slices), copyFloats(at, reserve, gradient)];
      const record = writeRecord(at, reserve, [rows, copy, size, writeRecord(at, reserve, finish)]);
      const time = timeOf(0, 12 * size);
      await at.run([taskOf(bagKernels(at)[kernel], record, slices.length, time)], time * slices.length);
      return at.floats.slice(copy / 4, copy / 4 + gradient.length);
    });
  const stateHost = state && runtime.hostOf(state);
  if (state === undefined || stateHost === undefined || stateHost === host) {
    await run(host, values.data, "applySlices", updateBy(rule, parameter.weights, state));
    return;
  }
  const scaled = await run(stateHost, values.data, "scaleSlices", updateBy(rule, parameter.weights, state));
  const { learningRate, scale = 1 } = rule;
  await run(host, scaled, "applySlices", updateBy({ kind: "sgd", learningRate, scale }, parameter.weights, undefined));
}

/** A workspace's `reserve`, as the helpers take it. */
export function reserveIn(workspace: Workspace): (byteLength: number) => number {
  return (byteLength) => workspace.reserve(byteLength);
}
