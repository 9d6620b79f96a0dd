import type { Tensor, UpdateRule } from "@tt-rec/tensor";
import type { PhasedStep, SliceGradients } from "./embedding-bag.ts";
import type { Phases } from "./phases.ts";

/** The work of one batch on a bag's parameters; the plan of a bag hides one. */
export interface BagBatch {
  /** Distinct rows of the batch. */
  readonly uniqueRows: number;
  /** Those of them that are laid over the table, if any can be. */
  readonly uniqueLaid?: number;
  /** Sorts the batch, which the first of the calls below does otherwise; absent where that is no work of its own. */
  sort?(): Phases<void>;
  /** Looks up and pools: [outputs, D]. */
  forward(): Phases<Tensor>;
  /** Gradients of parameters and weights. */
  backward(gradient: Tensor): Phases<SliceGradients>;
  /** A backward pass up to where parameters would change. */
  prepare(gradient: Tensor): Phases<PhasedStep>;
  /** Gradients and update in one. */
  step(gradient: Tensor, rule: UpdateRule): Phases<void>;
}
