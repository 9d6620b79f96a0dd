import {
  type KernelHost,
  type Parameter,
  type Runtime,
  ruleNumbers,
  type Task,
  type UpdateRule,
  type Workspace,
} from "@tt-rec/tensor";
import type { SliceGradient } from "../embedding-bag.ts";
import type { Phases } from "../phases.ts";
import { copyFloats, copyWords, writeRecord } from "./batch-arrays.ts";
import { type BagKernels, bagKernels } from "./kernels.ts";
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
 * Updates rows of a table that has a memory of its own. If its accumulators have another one, the gradient goes through
 * theirs first, which makes of it what the weights go along.
 */
export function* applyToTable(
  runtime: Runtime,
  parameter: Parameter,
  { slices, values }: Pick<SliceGradient, "slices" | "values">,
  rule: UpdateRule,
): Phases<void> {
  const host = runtime.hostOf(parameter.weights) as KernelHost;
  const state = parameter.stateFor(rule);
  const stateHost = state && runtime.hostOf(state);
  const size = parameter.sliceSize;
  if (state === undefined || stateHost === undefined || stateHost === host) {
    yield* runOnCopy(host, "applySlices", slices, values.data, size, updateBy(rule, parameter.weights, state));
    return;
  }
  const finish = updateBy(rule, parameter.weights, state);
  const scaled = yield* runOnCopy(stateHost, "scaleSlices", slices, values.data, size, finish);
  const descend = updateBy({ kind: "sgd", learningRate: ruleNumbers(rule).rate }, parameter.weights, undefined);
  yield* runOnCopy(host, "applySlices", slices, scaled, size, descend);
}

/** Runs a kernel on a copy of slices and gradients in some memory; returns the copy of the gradients afterwards. */
function* runOnCopy(
  host: KernelHost,
  kernel: "applySlices" | "scaleSlices",
  slices: Uint32Array,
  values: Float32Array,
  size: number,
  finish: readonly number[],
): Phases<Float32Array> {
  const workspace = host.enter();
  try {
    const reserve = reserveIn(workspace);
    const [rows, copy] = [copyWords(host, reserve, slices), copyFloats(host, reserve, values)];
    const record = writeRecord(host, reserve, [rows, copy, size, writeRecord(host, reserve, finish)]);
    const time = timeOf(0, 12 * size);
    const task = taskOf(bagKernels(host)[kernel], record, slices.length, time);
    yield { tasks: [task], nanoseconds: time * slices.length };
    return kernel === "scaleSlices" ? host.floats.slice(copy / 4, copy / 4 + values.length) : values;
  } finally {
    host.leave();
  }
}

/** A workspace's `reserve`, as the helpers take it. */
export function reserveIn(workspace: Workspace): (byteLength: number) => number {
  return (byteLength) => workspace.reserve(byteLength);
}
