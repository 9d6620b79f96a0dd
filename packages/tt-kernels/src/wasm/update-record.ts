import { floatBits, type Parameter, ruleNumbers, type Tensor, type UpdateRule } from "@tt-rec/tensor";

/** Kinds of the record `Finish` of the kernels. */
const KINDS = { sgd: 1, adagrad: 2, rowWiseAdagrad: 3, momentum: 4, adam: 5 } as const;

/** Whether kernels may update a core piece by piece while its gradient is summed; other rules go through stacked gradients. */
export function updatesPiecewise({ kind }: UpdateRule): boolean {
  return kind === "sgd" || kind === "adagrad";
}

/** Words of a `Finish` that stacks gradients at an offset. */
export function storeAt(offset: number): number[] {
  return [0, offset, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
}

/** Words of a `Finish` that updates weights by a rule. */
export function updateBy(rule: UpdateRule, weights: Pick<Tensor, "byteOffset" | "size">, state: Tensor | undefined): number[] {
  const { rate, eps, scale, decay1, decay2, rootFactor } = ruleNumbers(rule);
  // Written out: mapping and spreading takes longer than an update of few rows.
  return [
    KINDS[rule.kind],
    weights.byteOffset,
    state?.byteOffset ?? 0,
    floatBits(rate),
    floatBits(eps),
    floatBits(scale),
    floatBits(decay1),
    floatBits(decay2),
    floatBits(1 - decay1),
    floatBits(1 - decay2),
    floatBits(rootFactor),
    4 * weights.size,
  ];
}

/** Words of a `Finish` that updates a parameter, whose weights and state lie in one memory. */
export function updateOf(rule: UpdateRule, parameter: Parameter): number[] {
  return updateBy(rule, parameter.weights, parameter.stateFor(rule));
}
