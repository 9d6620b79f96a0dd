import { TtError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { assertSameSize, gemmExtents } from "./check.ts";
import { gemmNN, gemmNT, gemmTN } from "./gemm.ts";
import type { DenseKernels, GemmLayout, GemmOptions } from "./kernels.ts";

const PRODUCTS = { nn: gemmNN, nt: gemmNT, tn: gemmTN } as const;

/** The dense kernels in plain TypeScript: the oracle of every other engine, and the engine where none is at hand. */
export const referenceKernels: DenseKernels = { engine: "reference", gemm, columnSums, reluBackward, sigmoid, bceWithLogits };

function gemm(layout: GemmLayout, a: Tensor, b: Tensor, out: Tensor, { bias, relu = false }: GemmOptions = {}): void {
  const { m, n, k } = gemmExtents(layout, a, b, out, bias);
  // All operands are read first: a disposed one throws before the result is touched.
  const [left, right, row, result] = [a.data, b.data, bias?.data, out.data];
  if (row === undefined) result.fill(0);
  else for (let i = 0; i < m; i++) result.set(row, i * n);
  PRODUCTS[layout](left, right, result, m, n, k);
  if (relu) for (let i = 0; i < result.length; i++) if (result[i] < 0) result[i] = 0;
}

function columnSums(a: Tensor, out: Tensor): void {
  if (a.shape.length !== 2) throw new TtError("E_SHAPE", `columnSums: the shape [${a.shape}] has not two axes`);
  const columns = a.shape[1];
  if (out.size !== columns) {
    throw new TtError("E_SHAPE", `columnSums: [${a.shape}] has ${columns} columns, the result ${out.size} elements`);
  }
  const source = a.data;
  const sums = out.data.fill(0);
  for (let start = 0; start < source.length; start += columns) {
    for (let j = 0; j < columns; j++) sums[j] += source[start + j];
  }
}

function reluBackward(activation: Tensor, gradient: Tensor): void {
  assertSameSize("reluBackward", activation, gradient);
  const active = activation.data;
  const values = gradient.data;
  for (let i = 0; i < values.length; i++) if (!(active[i] > 0)) values[i] = 0;
}

function sigmoid(logits: Tensor, out: Tensor): void {
  assertSameSize("sigmoid", logits, out);
  const source = logits.data;
  const result = out.data;
  for (let i = 0; i < source.length; i++) result[i] = logistic(source[i]);
}

function bceWithLogits(logits: Tensor, labels: Float32Array, gradient: Tensor): number {
  assertSameSize("bceWithLogits", logits, { size: labels.length });
  assertSameSize("bceWithLogits", logits, gradient);
  const z = logits.data;
  const dz = gradient.data;
  let loss = 0;
  for (let i = 0; i < z.length; i++) {
    loss += Math.max(z[i], 0) - z[i] * labels[i] + Math.log1p(Math.exp(-Math.abs(z[i])));
    dz[i] = (logistic(z[i]) - labels[i]) / z.length;
  }
  return z.length === 0 ? 0 : loss / z.length;
}

/** The branch keeps exp() from overflowing. */
function logistic(z: number): number {
  if (z >= 0) return 1 / (1 + Math.exp(-z));
  const e = Math.exp(z);
  return e / (1 + e);
}
