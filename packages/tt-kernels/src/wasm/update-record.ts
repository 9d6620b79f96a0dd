import { epsOf, floatBits, type Parameter, type Tensor, type UpdateRule } from "@tt-rec/tensor";

/** Kinds of the record `Finish` of the kernels. */
const KINDS = { sgd: 1, adagrad: 2, rowWiseAdagrad: 3 } as const;

/** An eps that float32 rounds to 0 would make 0 / 0 of a gradient that was always 0. */
const LEAST_EPS = 2 ** -149;

/** Words of a `Finish` that stacks gradients at an offset. */
export function storeAt(offset: number): number[] {
  return [0, offset, 0, 0, 0, 0];
}

/** Words of a `Finish` that updates weights by a rule. */
export function updateBy(rule: UpdateRule, weights: Tensor, state: Tensor | undefined): number[] {
  const { learningRate, scale = 1 } = rule;
  const eps = rule.kind === "sgd" ? 0 : Math.max(epsOf(rule), LEAST_EPS);
  return [
    KINDS[rule.kind],
    weights.byteOffset,
    state?.byteOffset ?? 0,
    floatBits(learningRate * scale),
    floatBits(eps),
    floatBits(scale),
  ];
}

/** Words of a `Finish` that updates a parameter, whose weights and state lie in one memory. */
export function updateOf(rule: UpdateRule, parameter: Parameter): number[] {
  return updateBy(rule, parameter.weights, parameter.stateFor(rule));
}
