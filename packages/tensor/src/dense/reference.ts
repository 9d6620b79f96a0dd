import type { Tensor } from "../tensor.ts";
import { type UpdateRule, updateSlice } from "../update-rule.ts";
import {
  assertSameSize,
  biasExtents,
  blockRows,
  checkUpdate,
  columnExtents,
  gemmExtents,
  interactionExtents,
  slicesOf,
} from "./check.ts";
import { gemmNN, gemmNT, gemmTN } from "./gemm.ts";
import type { DenseKernels, GemmLayout, GemmOptions, Update } from "./kernels.ts";
import { bceWithLogits, mseWithLogits, sigmoid } from "./loss.ts";

const PRODUCTS = { nn: gemmNN, nt: gemmNT, tn: gemmTN } as const;

/** The dense kernels in plain TypeScript: the oracle of every other engine. */
export const referenceKernels: DenseKernels = {
  engine: "reference",
  gemm,
  biasRelu,
  biasReluBackward,
  sigmoid,
  bceWithLogits,
  mseWithLogits,
  dotInteraction,
  dotInteractionBackward,
  multiplyAdd,
  joinColumns,
  splitColumns,
  sumsOfSquares,
  update,
};

// In all of them every operand is read first: a disposed one throws before a result is touched.

async function gemm(
  layout: GemmLayout,
  a: Tensor,
  b: Tensor,
  out: Tensor,
  { bias, relu = false }: GemmOptions = {},
): Promise<void> {
  const { m, n, k } = gemmExtents(layout, a, b, out, bias);
  const [left, right, row, result] = [a.data, b.data, bias?.data, out.data];
  if (row === undefined) result.fill(0);
  else for (let i = 0; i < m; i++) result.set(row, i * n);
  PRODUCTS[layout](left, right, result, m, n, k);
  if (relu) for (let i = 0; i < result.length; i++) if (result[i] < 0) result[i] = 0;
}

async function biasRelu(values: Tensor, { bias, relu = false }: GemmOptions): Promise<void> {
  const [, columns] = biasExtents(values, bias);
  const [row, result] = [bias?.data, values.data];
  if (row !== undefined) for (let i = 0; i < result.length; i++) result[i] += row[i % columns];
  if (relu) for (let i = 0; i < result.length; i++) if (result[i] < 0) result[i] = 0;
}

async function biasReluBackward(gradient: Tensor, biasGradient: Tensor, activation?: Tensor): Promise<void> {
  const [, columns] = columnExtents(gradient, biasGradient, activation);
  const [values, active, sums] = [gradient.data, activation?.data, biasGradient.data];
  if (active !== undefined) for (let i = 0; i < values.length; i++) if (!(active[i] > 0)) values[i] = 0;
  sums.fill(0);
  for (let start = 0; start < values.length; start += columns) {
    for (let j = 0; j < columns; j++) sums[j] += values[start + j];
  }
}

async function dotInteraction(vectors: readonly Tensor[], passThrough: boolean, out: Tensor, self = false): Promise<void> {
  const { samples, dim } = interactionExtents(vectors, passThrough, out, self);
  const [x, z] = [vectors.map(({ data }) => data), out.data];
  let o = 0;
  for (let start = 0; start < samples * dim; start += dim) {
    if (passThrough) for (let j = 0; j < dim; j++) z[o++] = x[0][start + j];
    for (let i = 0; i < x.length; i++) {
      for (let k = 0; k < (self ? i + 1 : i); k++) {
        let sum = 0;
        for (let j = start; j < start + dim; j++) sum += x[i][j] * x[k][j];
        z[o++] = sum;
      }
    }
  }
  // Vectors without elements have products all the same.
  z.fill(0, o);
}

async function dotInteractionBackward(
  vectors: readonly Tensor[],
  passThrough: boolean,
  gradient: Tensor,
  vectorGradients: readonly Tensor[],
  self = false,
): Promise<void> {
  const { samples, dim } = interactionExtents(vectors, passThrough, gradient, self, vectorGradients);
  const [x, dz, dx] = [vectors.map(({ data }) => data), gradient.data, vectorGradients.map(({ data }) => data)];
  for (const values of dx) values.fill(0);
  let o = 0;
  for (let start = 0; start < samples * dim; start += dim) {
    if (passThrough) for (let j = 0; j < dim; j++) dx[0][start + j] = dz[o++];
    for (let i = 0; i < x.length; i++) {
      for (let k = 0; k < (self ? i + 1 : i); k++) {
        const g = dz[o++];
        for (let j = start; j < start + dim; j++) {
          dx[i][j] += g * x[k][j];
          dx[k][j] += g * x[i][j];
        }
      }
    }
  }
}

async function multiplyAdd(a: Tensor, b: Tensor, out: Tensor, addend?: Tensor): Promise<void> {
  for (const operand of [b, out, addend ?? a]) assertSameSize("multiplyAdd", a, operand);
  const [x, y, z, result] = [a.data, b.data, addend?.data, out.data];
  for (let i = 0; i < result.length; i++) result[i] = z === undefined ? x[i] * y[i] : Math.fround(x[i] * y[i]) + z[i];
}

async function joinColumns(blocks: readonly Tensor[], out: Tensor): Promise<void> {
  const rows = blockRows(out, blocks);
  const [parts, result] = [blocks.map(({ data }) => data), out.data];
  let o = 0;
  for (let row = 0; row < rows; row++) {
    for (const [i, part] of parts.entries()) {
      const width = blocks[i].shape[1];
      for (let j = 0; j < width; j++) result[o++] = part[row * width + j];
    }
  }
}

async function splitColumns(matrix: Tensor, blocks: readonly Tensor[]): Promise<void> {
  const rows = blockRows(matrix, blocks);
  const [source, parts] = [matrix.data, blocks.map(({ data }) => data)];
  let o = 0;
  for (let row = 0; row < rows; row++) {
    for (const [i, part] of parts.entries()) {
      const width = blocks[i].shape[1];
      for (let j = 0; j < width; j++) part[row * width + j] = source[o++];
    }
  }
}

async function sumsOfSquares(tensors: readonly Tensor[]): Promise<number[]> {
  return tensors.map(({ data }) => {
    let sum = 0;
    for (let i = 0; i < data.length; i++) sum += data[i] * data[i];
    return sum;
  });
}

async function update(rule: UpdateRule, parameters: readonly Update[]): Promise<void> {
  checkUpdate(rule, parameters);
  const views = parameters.map(({ weights, gradient, state }) => {
    const slices = slicesOf(weights);
    return { slices, size: weights.size / slices, w: weights.data, g: gradient.data, h: state?.data };
  });
  for (const { slices, size, w, g, h } of views) {
    for (let i = 0; i < slices; i++) updateSlice(rule, w, i * size, g, i * size, size, h, i);
  }
}
