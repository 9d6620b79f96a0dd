import { type Tensor, type UpdateRule, validateUpdateRule } from "@tt-rec/tensor";
import type { BagBatch } from "../batch.ts";
import type { SliceGradients } from "../embedding-bag.ts";

/** A batch whose work is done at once, in plain TypeScript. */
interface PlainBatch {
  forward(): Tensor;
  backward(gradient: Tensor): SliceGradients;
  apply(gradients: SliceGradients, rule: UpdateRule): void;
}

/** Makes a batch of functions that have no tasks for threads: their generators end without a phase. */
export function withoutPhases(uniqueRows: () => number, { forward, backward, apply }: PlainBatch): BagBatch {
  return {
    get uniqueRows() {
      return uniqueRows();
    },
    // biome-ignore lint/correctness/useYield: the contract is a generator, the work has no phases.
    *forward() {
      return forward();
    },
    // biome-ignore lint/correctness/useYield: as above.
    *backward(gradient) {
      return backward(gradient);
    },
    *prepare(gradient) {
      const gradients = backward(gradient);
      const applyChecked = (rule: UpdateRule): void => {
        validateUpdateRule(rule);
        apply(gradients, rule);
      };
      return {
        finite: Number.isFinite(gradients.sumOfSquares),
        apply: async (rule) => applyChecked(rule),
        // biome-ignore lint/correctness/useYield: as above.
        *applyPhases(rule) {
          applyChecked(rule);
        },
      };
    },
    // biome-ignore lint/correctness/useYield: as above.
    *step(gradient, rule) {
      apply(backward(gradient), rule);
    },
  };
}
