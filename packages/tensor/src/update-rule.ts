import { TtError } from "./errors.ts";

/** How a parameter follows its gradient: plain stochastic gradient descent, or element-wise Adagrad. */
export type UpdateRule = SgdRule | AdagradRule;

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

/** Throws `E_OPTION` unless the kind is known, every number finite, the learning rate not negative and eps above 0. */
export function validateUpdateRule(rule: UpdateRule): void {
  const { kind } = rule;
  if (kind !== "sgd" && kind !== "adagrad") {
    throw new TtError("E_OPTION", `the update rule "${kind}" is not known; known are sgd and adagrad`);
  }
  const { learningRate, scale = 1 } = rule;
  if (!(learningRate >= 0 && Number.isFinite(learningRate))) {
    throw new TtError("E_OPTION", `learningRate = ${learningRate} is not a finite number of at least 0`);
  }
  // With eps = 0 an element whose gradient was always 0 would become 0 / 0.
  if (rule.kind === "adagrad" && !(epsOf(rule) > 0 && Number.isFinite(epsOf(rule)))) {
    throw new TtError("E_OPTION", `eps = ${rule.eps} is not a finite number above 0`);
  }
  if (!Number.isFinite(scale)) throw new TtError("E_OPTION", `scale = ${scale} is not finite`);
}

/**
 * Updates `count` elements of `weights` from `gradient`, both plain arrays; `state` holds Adagrad's accumulators.
 *
 * The offsets let one call serve a slice of a larger parameter: element i is `weights[weightOffset + i]`.
 */
export function updateRange(
  rule: UpdateRule,
  weights: Float32Array,
  weightOffset: number,
  gradient: Float32Array,
  gradientOffset: number,
  count: number,
  state: Float32Array | undefined,
): void {
  const { learningRate, scale = 1 } = rule;
  if (rule.kind === "sgd") {
    const rate = learningRate * scale;
    for (let i = 0; i < count; i++) weights[weightOffset + i] -= rate * gradient[gradientOffset + i];
    return;
  }
  if (state === undefined) throw new TtError("E_OPTION", "Adagrad needs an array of accumulators");
  const eps = epsOf(rule);
  for (let i = 0; i < count; i++) {
    const g = scale * gradient[gradientOffset + i];
    const h = state[weightOffset + i] + g * g;
    state[weightOffset + i] = h;
    weights[weightOffset + i] -= (learningRate * g) / (Math.sqrt(h) + eps);
  }
}

function epsOf({ eps = 1e-10 }: AdagradRule): number {
  return eps;
}
