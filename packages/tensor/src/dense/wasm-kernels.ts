import { floatBits, type Kernel, type KernelHost, type KernelModule, type Task } from "../engine/kernel-host.ts";
import type { Tensor } from "../tensor.ts";
import { ruleNumbers, type UpdateRule } from "../update-rule.ts";
import { assertSameSize, biasExtents, blockRows, checkUpdate, columnExtents, interactionExtents, slicesOf } from "./check.ts";
import type { DenseKernels, GemmOptions, Update } from "./kernels.ts";
import { bceWithLogits, mseWithLogits, sigmoid } from "./loss.ts";
import { wasmGemm } from "./wasm-gemm.ts";
import { type KernelNumbers, loadKernels, offsetOf, taskOf } from "./wasm-tasks.ts";

/** Columns of a unit of `biasReluBackward`. */
const COLUMNS = 16;

/** Samples of a unit of the interaction, each of which has a place of its own in scratch. */
const SAMPLES = 16;

/** Elements of a block of `sumOfSquares` and of the update rules that know no slices. */
const BLOCK = 16384;

/** The dense kernels in WebAssembly, on the heap of `host`: the same bits at any number of threads. */
export function createWasmKernels(host: KernelHost, module: KernelModule, engine: string): DenseKernels {
  const kernels = loadKernels(host, module);
  return {
    engine,
    gemm: wasmGemm(host, kernels),
    biasRelu: (values, options) => addBias(host, kernels, values, options),
    biasReluBackward: (gradient, biasGradient, activation) => sumColumns(host, kernels, gradient, biasGradient, activation),
    sigmoid,
    bceWithLogits,
    mseWithLogits,
    dotInteraction: (vectors, passThrough, out, self = false) =>
      interact(host, kernels.dotInteraction, vectors, passThrough, out, self),
    dotInteractionBackward: (vectors, passThrough, gradient, vectorGradients, self = false) =>
      interact(host, kernels.dotInteractionBackward, vectors, passThrough, gradient, self, vectorGradients),
    multiplyAdd: (a, b, out, addend) => multiplyElements(host, kernels, a, b, out, addend),
    joinColumns: (blocks, out) => copyBlocks(host, kernels.joinColumns, out, blocks),
    splitColumns: (matrix, blocks) => copyBlocks(host, kernels.splitColumns, matrix, blocks),
    sumsOfSquares: (tensors) => sumSquares(host, kernels, tensors),
    update: (rule, parameters) => updateAll(host, kernels, rule, parameters),
  };
}

async function addBias(
  host: KernelHost,
  kernels: KernelNumbers,
  values: Tensor,
  { bias, relu = false }: GemmOptions,
): Promise<void> {
  const [rows, columns] = biasExtents(values, bias);
  const words = [offsetOf(host, values), bias === undefined ? 0 : offsetOf(host, bias), columns, relu ? 1 : 0];
  await host.call(async (workspace) => {
    await host.run([taskOf(kernels.biasRelu, workspace.record(words), rows, columns / 4)], (rows * columns) / 4);
  });
}

async function sumColumns(
  host: KernelHost,
  kernels: KernelNumbers,
  gradient: Tensor,
  biasGradient: Tensor,
  activation?: Tensor,
): Promise<void> {
  const [rows, columns] = columnExtents(gradient, biasGradient, activation);
  const active = activation === undefined ? 0 : offsetOf(host, activation);
  const words = [offsetOf(host, gradient), active, offsetOf(host, biasGradient), rows, columns];
  await host.call(async (workspace) => {
    const units = Math.ceil(columns / COLUMNS);
    await host.run([taskOf(kernels.biasReluBackward, workspace.record(words), units, 4 * rows)], 4 * rows * units);
  });
}

/** Both directions of the interaction: `rows` is the result, or its gradient. */
async function interact(
  host: KernelHost,
  kernel: Kernel,
  vectors: readonly Tensor[],
  passThrough: boolean,
  rows: Tensor,
  self: boolean,
  vectorGradients?: readonly Tensor[],
): Promise<void> {
  const { samples, dim } = interactionExtents(vectors, passThrough, rows, self, vectorGradients);
  const sources = vectors.map((tensor) => offsetOf(host, tensor));
  const targets = (vectorGradients ?? []).map((tensor) => offsetOf(host, tensor));
  const at = offsetOf(host, rows);
  await host.call(async (workspace) => {
    const tables = [workspace.record(sources), workspace.record(targets)];
    const [count, units] = [vectors.length, Math.ceil(samples / SAMPLES)];
    const scratch = workspace.reserve(units * count * 16 * Math.ceil(dim / 4));
    const flags = [passThrough ? 1 : 0, self ? 1 : 0];
    const record = workspace.record([...tables, at, scratch, samples, count, dim, ...flags]);
    const perSample = 20 + (count ** 2 * (dim + 8)) / 20;
    await host.run([taskOf(kernel, record, units, SAMPLES * perSample)], samples * perSample);
  });
}

async function multiplyElements(
  host: KernelHost,
  kernels: KernelNumbers,
  a: Tensor,
  b: Tensor,
  out: Tensor,
  addend: Tensor | undefined,
): Promise<void> {
  for (const operand of [b, out, addend ?? a]) assertSameSize("multiplyAdd", a, operand);
  const added = addend === undefined ? 0 : offsetOf(host, addend);
  const words = [offsetOf(host, a), offsetOf(host, b), added, offsetOf(host, out), out.size];
  await host.call(async (workspace) => {
    const units = Math.ceil(out.size / BLOCK);
    await host.run([taskOf(kernels.multiplyAdd, workspace.record(words), units, BLOCK / 4)], out.size / 4);
  });
}

/** Both directions of the copy between a matrix and blocks of its columns. */
async function copyBlocks(host: KernelHost, kernel: Kernel, matrix: Tensor, blocks: readonly Tensor[]): Promise<void> {
  const rows = blockRows(matrix, blocks);
  const offsets = blocks.map((block) => offsetOf(host, block));
  const [at, rowBytes] = [offsetOf(host, matrix), 4 * matrix.shape[1]];
  await host.call(async (workspace) => {
    const widths = workspace.record(blocks.map(({ shape }) => 4 * shape[1]));
    const record = workspace.record([workspace.record(offsets), widths, at, blocks.length, rowBytes]);
    const perRow = 5 * blocks.length + rowBytes / 8;
    await host.run([taskOf(kernel, record, rows, perRow)], rows * perRow);
  });
}

function sumSquares(host: KernelHost, kernels: KernelNumbers, tensors: readonly Tensor[]): Promise<number[]> {
  return host.call(async (workspace) => {
    const parts = tensors.map((tensor) => {
      const blocks = Math.ceil(tensor.size / BLOCK);
      return { source: offsetOf(host, tensor), size: tensor.size, blocks, sums: workspace.reserve(8 * blocks) };
    });
    const tasks = parts.map(({ source, size, blocks, sums }) =>
      taskOf(kernels.sumOfSquares, workspace.record([source, sums, size]), blocks, BLOCK / 4),
    );
    await host.run(tasks, 0.25 * parts.reduce((sum, { size }) => sum + size, 0));
    // In order, so that the bits do not depend on who summed which block.
    return parts.map(({ sums, blocks }) => new Float64Array(host.memory.buffer, sums, blocks).reduce((a, b) => a + b, 0));
  });
}

async function updateAll(
  host: KernelHost,
  kernels: KernelNumbers,
  rule: UpdateRule,
  parameters: readonly Update[],
): Promise<void> {
  checkUpdate(rule, parameters);
  const { rate, scale, eps, decay1, decay2, rootFactor } = ruleNumbers(rule);
  const constants = [rate, scale, eps, decay1, decay2, 1 - decay1, 1 - decay2, rootFactor].map(floatBits);
  const rows = rule.kind === "rowWiseAdagrad";
  const records = parameters.map(({ weights, gradient, state }) => {
    const slices = slicesOf(weights);
    const offsets = [offsetOf(host, weights), offsetOf(host, gradient), state === undefined ? 0 : offsetOf(host, state)];
    const [count, sliceSize] = [rows ? slices : weights.size, weights.size / slices];
    return { words: [...offsets, count, sliceSize, ...constants], units: rows ? slices : Math.ceil(count / BLOCK), sliceSize };
  });
  await host.call(async (workspace) => {
    const tasks: Task[] = [];
    let nanoseconds = 0;
    for (const { words, units, sliceSize } of records) {
      if (units === 0 || sliceSize === 0) continue;
      const perUnit = 0.3 * (rows ? sliceSize : BLOCK);
      tasks.push(taskOf(kernels[rule.kind], workspace.record(words), units, perUnit));
      nanoseconds += perUnit * units;
    }
    await host.run(tasks, nanoseconds);
  });
}
