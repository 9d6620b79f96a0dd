import { TtError } from "./errors.ts";

/** How a parameter follows its gradient: plain stochastic gradient descent, element-wise Adagrad, or row-wise Adagrad. */
export type UpdateRule = SgdRule | AdagradRule | RowWiseAdagradRule;

/** `w -= learningRate * scale * g`. */
export interface SgdRule {
  /** Names the rule. */
  readonly kind: "sgd";
  /** Step length. */
  readonly learningRate: number;
  /** Factor on the gradient, for clipping and averaging. Default 1. */
  readonly scale?: number;
}

/** `h += (scale * g)^2; w -= learningRate * scale * g / (sqrt(h) + eps)`; FBTT-Embedding's and PyTorch's form. */
export interface AdagradRule {
  /** Names the rule. */
  readonly kind: "adagrad";
  /** Step length. */
  readonly learningRate: number;
  /** Added to the root of the accumulator. Default 1e-10. */
  readonly eps?: number;
  /** Factor on the gradient, for clipping and averaging. Default 1. */
  readonly scale?: number;
}

/**
 * `h += mean((scale * g)^2)` over a slice of the first axis, `w -= learningRate * scale * g / (sqrt(h) + eps)`: one
 * accumulator a table row, core slice or matrix row, as in FBGEMM.
 */
export interface RowWiseAdagradRule {
  /** Names the rule. */
  readonly kind: "rowWiseAdagrad";
  /** Step length. */
  readonly learningRate: number;
  /** Added to the root of the accumulator. Default 1e-10. */
  readonly eps?: number;
  /** Factor on the gradient, for clipping and averaging. Default 1. */
  readonly scale?: number;
}

const KINDS = ["sgd", "adagrad", "rowWiseAdagrad"];

/** Throws `E_OPTION` unless the kind is known, every number finite, the learning rate not negative and eps above 0. */
export function validateUpdateRule(rule: UpdateRule): void {
  if (!KINDS.includes(rule.kind)) {
    throw new TtError("E_OPTION", `the update rule "${rule.kind}" is not known; known are ${KINDS.join(", ")}`);
  }
  const { learningRate, scale = 1 } = rule;
  if (!(learningRate >= 0 && Number.isFinite(learningRate))) {
    throw new TtError("E_OPTION", `learningRate = ${learningRate} is not a finite number of at least 0`);
  }
  // With eps = 0 an element whose gradient was always 0 would become 0 / 0.
  if (rule.kind !== "sgd" && !(epsOf(rule) > 0 && Number.isFinite(epsOf(rule)))) {
    throw new TtError("E_OPTION", `eps = ${rule.eps} is not a finite number above 0`);
  }
  if (!Number.isFinite(scale)) throw new TtError("E_OPTION", `scale = ${scale} is not finite`);
}

/** The value of eps, with its default. */
export function epsOf({ eps = 1e-10 }: { readonly eps?: number }): number {
  return eps;
}

/**
 * Updates one slice of `weights` from its gradient, `count` elements from `weightOffset` and `gradientOffset` on. `state`
 * holds the accumulators: Adagrad's beside the weights, row-wise Adagrad's one a slice, of which this is number `slice`.
 */
export function updateSlice(
  rule: UpdateRule,
  weights: Float32Array,
  weightOffset: number,
  gradient: Float32Array,
  gradientOffset: number,
  count: number,
  state: Float32Array | undefined,
  slice: number,
): void {
  const { learningRate, scale = 1 } = rule;
  if (rule.kind === "sgd") {
    const rate = learningRate * scale;
    for (let i = 0; i < count; i++) weights[weightOffset + i] -= rate * gradient[gradientOffset + i];
    return;
  }
  if (state === undefined) throw new TtError("E_OPTION", `${rule.kind} needs an array of accumulators`);
  const eps = epsOf(rule);
  if (rule.kind === "rowWiseAdagrad") {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += (scale * gradient[gradientOffset + i]) ** 2;
    const h = state[slice] + (count === 0 ? 0 : sum / count);
    state[slice] = h;
    const rate = (learningRate * scale) / (Math.sqrt(h) + eps);
    for (let i = 0; i < count; i++) weights[weightOffset + i] -= rate * gradient[gradientOffset + i];
    return;
  }
  for (let i = 0; i < count; i++) {
    const g = scale * gradient[gradientOffset + i];
    const h = state[weightOffset + i] + g * g;
    state[weightOffset + i] = h;
    weights[weightOffset + i] -= (learningRate * g) / (Math.sqrt(h) + eps);
  }
}
