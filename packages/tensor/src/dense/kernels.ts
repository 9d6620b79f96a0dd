import type { Tensor } from "../tensor.ts";
import type { UpdateRule } from "../update-rule.ts";

/** Which operands of a product are stored transposed: `nn` a·b, `nt` a·bᵀ, `tn` aᵀ·b. */
export type GemmLayout = "nn" | "nt" | "tn";

/** What a GEMM does besides the product. */
export interface GemmOptions {
  /** A vector [n] added to each row. */
  readonly bias?: Tensor;
  /** Replace negative results by 0; NaN stays NaN. */
  readonly relu?: boolean;
}

/** What the loss does besides the mean over samples. */
export interface LossOptions {
  /** Factors of the loss of samples labelled 0 and 1. Default 1 and 1. */
  readonly weights?: readonly [number, number];
  /** Samples that the mean is over, if these are some of them; default their number. */
  readonly samples?: number;
}

/** A parameter to update, with its gradient. */
export interface Update {
  /** The weights; their first axis counts slices. */
  readonly weights: Tensor;
  /** The gradient, of as many elements. */
  readonly gradient: Tensor;
  /** The accumulators that the rule needs: one an element, two an element for Adam, one a slice for row-wise Adagrad. */
  readonly state?: Tensor;
}

/**
 * The kernels that dense layers need. All engines implement this interface and agree within float32 rounding. Shapes that
 * do not fit (`E_SHAPE`) and tensors at their end of life (`E_DISPOSED`) are refused before anything is written. No result
 * may share memory with another operand, except where a kernel works in place.
 */
export interface DenseKernels {
  /** Name of the engine, as it is written into results and checkpoints. */
  readonly engine: string;
  /** `out = op(a)·op(b)`: [m, k]·[k, n] → [m, n] after the transposes of `layout`, plus bias, through ReLU. */
  gemm(layout: GemmLayout, a: Tensor, b: Tensor, out: Tensor, options?: GemmOptions): Promise<void>;
  /** Adds `bias` [n], if any, to each row of `values` [m, n] in place, and with `relu` replaces negative results by 0. */
  biasRelu(values: Tensor, options: GemmOptions): Promise<void>;
  /**
   * Sums the rows of `gradient` [m, n] into `biasGradient` [n]; before that, where ReLU's output `activation` [m, n] is
   * given, zeroes the gradient in place where that is not positive.
   */
  biasReluBackward(gradient: Tensor, biasGradient: Tensor, activation?: Tensor): Promise<void>;
  /** Writes 1 / (1 + exp(-logits)) into `out` (same size; may be `logits`). */
  sigmoid(logits: Tensor, out: Tensor): Promise<void>;
  /**
   * Mean binary cross-entropy of `logits` [B] or [B, 1] against `labels` [B], and its gradient into `gradient`
   * (the logits' shape). Computed from the logits, so that no probability is rounded to 0 or 1. Resolves to the loss.
   */
  bceWithLogits(logits: Tensor, labels: Float32Array, gradient: Tensor, options?: LossOptions): Promise<number>;
  /**
   * Mean squared error of the probabilities 1 / (1 + exp(-logits)) of `logits` [B] or [B, 1] against `labels` [B], and its
   * gradient by the logits into `gradient` (their shape). Resolves to the loss.
   */
  mseWithLogits(logits: Tensor, labels: Float32Array, gradient: Tensor, options?: Pick<LossOptions, "samples">): Promise<number>;
  /**
   * The products ⟨v_i, v_k⟩, k < i, of V vectors a sample, each given as [B, D], row by row of the strictly lower triangle
   * into `out` [B, V(V − 1)/2], with `self` k ≤ i and V(V + 1)/2 products; with `passThrough` behind a copy of the first vector.
   */
  dotInteraction(vectors: readonly Tensor[], passThrough: boolean, out: Tensor, self?: boolean): Promise<void>;
  /** The gradients [B, D] of the vectors from the gradient of the result of `dotInteraction`. */
  dotInteractionBackward(
    vectors: readonly Tensor[],
    passThrough: boolean,
    gradient: Tensor,
    vectorGradients: readonly Tensor[],
    self?: boolean,
  ): Promise<void>;
  /** `out = a ⊙ b + addend`, element by element, of tensors of one size; `out` may be any of them. */
  multiplyAdd(a: Tensor, b: Tensor, out: Tensor, addend?: Tensor): Promise<void>;
  /** Puts blocks [B, D_i] one behind the other: `out` [B, ΣD_i]. */
  joinColumns(blocks: readonly Tensor[], out: Tensor): Promise<void>;
  /** Takes `matrix` [B, ΣD_i] apart into blocks [B, D_i]. */
  splitColumns(matrix: Tensor, blocks: readonly Tensor[]): Promise<void>;
  /** Sum of squares of each tensor, in float64: not finite if and only if an element is not finite. */
  sumsOfSquares(tensors: readonly Tensor[]): Promise<number[]>;
  /** Updates several parameters in one pass. Throws `E_OPTION` on a bad rule, or without the state that the rule needs. */
  update(rule: UpdateRule, parameters: readonly Update[]): Promise<void>;
}
