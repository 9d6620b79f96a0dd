import { TtError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import type { GemmLayout } from "./kernels.ts";

/** Extents of a product: [m, k]·[k, n] → [m, n]. */
export interface GemmExtents {
  /** Rows of the result. */
  readonly m: number;
  /** Columns of the result. */
  readonly n: number;
  /** Length of the summed dimension. */
  readonly k: number;
}

/** Derives m, n, k from the operands and checks that all of them fit. */
export function gemmExtents(layout: GemmLayout, a: Tensor, b: Tensor, out: Tensor, bias: Tensor | undefined): GemmExtents {
  const [m, k] = layout === "tn" ? [a.shape[1], a.shape[0]] : [a.shape[0], a.shape[1]];
  const [kb, n] = layout === "nt" ? [b.shape[1], b.shape[0]] : [b.shape[0], b.shape[1]];
  const describe = `gemm ${layout}: [${a.shape}] and [${b.shape}] into [${out.shape}]`;
  if (a.shape.length !== 2 || b.shape.length !== 2 || out.shape.length !== 2) {
    throw new TtError("E_SHAPE", `${describe}: every operand needs two axes`);
  }
  if (k !== kb) throw new TtError("E_SHAPE", `${describe}: the summed extents ${k} and ${kb} differ`);
  if (out.shape[0] !== m || out.shape[1] !== n) throw new TtError("E_SHAPE", `${describe}: the result has shape [${m},${n}]`);
  if (bias !== undefined && bias.size !== n) {
    throw new TtError("E_SHAPE", `${describe}: the bias has ${bias.size} elements, the result ${n} columns`);
  }
  return { m, n, k };
}

/** Throws `E_SHAPE` unless both have the same number of elements. */
export function assertSameSize(where: string, a: { size: number }, b: { size: number }): void {
  if (a.size !== b.size) throw new TtError("E_SHAPE", `${where}: operands of ${a.size} and ${b.size} elements`);
}
