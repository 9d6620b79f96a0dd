import type { Tensor } from "../tensor.ts";

/** Which operands of a product are stored transposed: `nn` a·b, `nt` a·bᵀ, `tn` aᵀ·b. */
export type GemmLayout = "nn" | "nt" | "tn";

/** What a GEMM does besides the product. */
export interface GemmOptions {
  /** A vector [n] added to each row. */
  readonly bias?: Tensor;
  /** Replace negative results by 0. */
  readonly relu?: boolean;
}

/**
 * The kernels that dense layers need. All engines implement this interface, agree within float32 rounding, and throw
 * `E_SHAPE` before anything is written if the shapes do not fit.
 */
export interface DenseKernels {
  /** Name of the engine, as it is written into results and checkpoints. */
  readonly engine: string;
  /** `out = op(a)·op(b)`: [m, k]·[k, n] → [m, n] after the transposes of `layout`, plus bias, through ReLU. */
  gemm(layout: GemmLayout, a: Tensor, b: Tensor, out: Tensor, options?: GemmOptions): void;
  /** Sums the rows of `a`, which is [m, n], into `out`, which is [n]; the gradient of a bias. */
  columnSums(a: Tensor, out: Tensor): void;
  /** Zeroes `gradient` in place where the ReLU output `activation` (same shape) is not positive. */
  reluBackward(activation: Tensor, gradient: Tensor): void;
  /** Writes 1 / (1 + exp(-logits)) into `out` (same shape). */
  sigmoid(logits: Tensor, out: Tensor): void;
  /**
   * Mean binary cross-entropy of `logits` [B] or [B, 1] against `labels` [B], and its gradient into `gradient`
   * (the logits' shape). Computed from the logits, so that no probability is rounded to 0 or 1. Returns the loss.
   */
  bceWithLogits(logits: Tensor, labels: Float32Array, gradient: Tensor): number;
}
