import type { KernelHost, Task, Workspace } from "../engine/kernel-host.ts";
import { type GemmExtents, gemmExtents } from "./check.ts";
import type { DenseKernels, GemmLayout } from "./kernels.ts";
import { type KernelNumbers, offsetOf, taskOf } from "./wasm-tasks.ts";

/** Columns of a panel of the packed operand, and bytes of a panel's row. */
const [PANEL, PANEL_ROW] = [8, 32];

/** Rows of the left operand that stay in a second-level cache: with 512 columns, 256 KiB. */
const GROUP_ROWS = 128;

/** Floating-point operations of a unit of `product`: about 20 µs. */
const UNIT_FLOPS = 1e6;

/** Columns or rows of a unit of `transpose`, `rowDots` and `columnCombinations`. */
const UNIT = 16;

/** A product: where its operands are on the heap, and what it does. */
interface Product extends GemmExtents {
  readonly layout: GemmLayout;
  readonly a: number;
  readonly b: number;
  readonly out: number;
  /** 0 for none. */
  readonly bias: number;
  readonly relu: boolean;
}

/** `gemm` on the kernels `product`, with what it packs, or on `rowDots` or `columnCombinations`. */
export function wasmGemm(host: KernelHost, kernels: KernelNumbers): DenseKernels["gemm"] {
  return async (layout, a, b, out, { bias, relu = false } = {}) => {
    const extents = gemmExtents(layout, a, b, out, bias);
    const offsets = { a: offsetOf(host, a), b: offsetOf(host, b), out: offsetOf(host, out) };
    const product = { layout, ...extents, ...offsets, bias: bias === undefined ? 0 : offsetOf(host, bias), relu };
    if (out.size === 0) return;
    await host.call(async (workspace) => {
      if (extents.m === 1 || extents.n === 1) await multiplyVector(host, kernels, workspace, product);
      else await multiply(host, kernels, workspace, product);
    });
  };
}

async function multiply(host: KernelHost, kernels: KernelNumbers, workspace: Workspace, product: Product): Promise<void> {
  const { layout, m, n, k, a, b, out, bias, relu } = product;
  const panels = Math.ceil(n / PANEL);
  const packed = workspace.reserve(panels * (k + 1) * PANEL_ROW);
  const pack = workspace.record([b, bias, packed, n, k]);
  // A column costs more where it is transposed; rows are packed some panels at a time, since neighbours share cache lines.
  const columns = taskOf(kernels.packColumns, pack, panels, 2 * k);
  const rows = taskOf(kernels.packRows, pack, panels, k);
  const packing: Task[] = [layout === "nt" ? columns : { ...rows, grain: Math.max(8, rows.grain) }];
  let [left, stride] = [a, 4 * k];
  if (layout === "tn") {
    // Rows that a multiple of 4 KiB separates would compete for one set of a cache.
    stride = 4 * (4 * Math.ceil(k / 4) + 16);
    left = workspace.reserve(m * stride);
    packing.push(taskOf(kernels.transpose, workspace.record([a, left, stride, k, m]), Math.ceil(m / UNIT), 6 * k));
  }
  await host.run(packing, 0.2 * k * (n + (layout === "tn" ? m : 0)));
  const rowGroups = Math.ceil(m / GROUP_ROWS);
  const columnGroups = Math.min(panels, Math.max(1, Math.round((2 * m * n * k) / rowGroups / UNIT_FLOPS)));
  const last = n % PANEL === 0 ? 0 : workspace.reserve(m * PANEL_ROW);
  const record = workspace.record([left, stride, packed, out, last, m, n, k, relu ? 1 : 0, rowGroups, columnGroups]);
  const nanoseconds = (m * n * (k + 8)) / 25;
  const units = rowGroups * columnGroups;
  await host.run([taskOf(kernels.product, record, units, nanoseconds / units)], nanoseconds);
}

/** A product with one row or one column reads its matrix once: packing would cost more than the product. */
async function multiplyVector(host: KernelHost, kernels: KernelNumbers, workspace: Workspace, product: Product): Promise<void> {
  const { layout, m, n, k, a, b, out, bias, relu } = product;
  const isColumn = n === 1;
  const [matrix, vector, extent] = isColumn ? [a, b, m] : [b, a, n];
  const dots = isColumn ? layout !== "tn" : layout === "nt";
  const [rows, columns] = dots ? [extent, k] : [k, extent];
  const record = workspace.record([matrix, vector, bias, isColumn ? 0 : 4, out, rows, columns, relu ? 1 : 0]);
  const units = Math.ceil(extent / UNIT);
  const task = taskOf(dots ? kernels.rowDots : kernels.columnCombinations, record, units, 2 * k);
  await host.run([task], 0.1 * k * extent);
}
