import { TtError } from "./errors.ts";

/**
 * How a parameter follows its gradient: stochastic gradient descent without and with momentum, element-wise or row-wise
 * Adagrad, or Adam. Where only some slices are updated, the accumulators of the others stay as they are.
 */
export type UpdateRule = SgdRule | MomentumRule | AdagradRule | RowWiseAdagradRule | AdamRule;

/** `w -= learningRate * scale * g`. */
export interface SgdRule {
  /** Names the rule. */
  readonly kind: "sgd";
  /** Step length. */
  readonly learningRate: number;
  /** Factor on the gradient, for clipping and averaging. Default 1. */
  readonly scale?: number;
}

/** `v = momentum * v + scale * g; w -= learningRate * v`; PyTorch's form, without dampening. */
export interface MomentumRule {
  /** Names the rule. */
  readonly kind: "momentum";
  /** Step length. */
  readonly learningRate: number;
  /** Share of the velocity that stays, at least 0 and below 1. */
  readonly momentum: number;
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

/**
 * `m = beta1 * m + (1 - beta1) * g'; v = beta2 * v + (1 - beta2) * g'^2` with `g' = scale * g`, then
 * `w -= learningRate * (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + eps)`; Kingma and Ba, arXiv 1412.6980. On some
 * slices only it is PyTorch's `SparseAdam`, but for the place of eps: the step counts all updates, not those of a slice.
 */
export interface AdamRule {
  /** Names the rule. */
  readonly kind: "adam";
  /** Step length. */
  readonly learningRate: number;
  /** Number of the update, from 1. */
  readonly step: number;
  /** Decay of the mean gradient. Default 0.9. */
  readonly beta1?: number;
  /** Decay of the mean square. Default 0.999. */
  readonly beta2?: number;
  /** Added to the root of the mean square. Default 1e-8. */
  readonly eps?: number;
  /** Factor on the gradient, for clipping and averaging. Default 1. */
  readonly scale?: number;
}

const KINDS = ["sgd", "momentum", "adagrad", "rowWiseAdagrad", "adam"];

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
  if (rule.kind !== "sgd" && rule.kind !== "momentum" && !(epsOf(rule) > 0 && Number.isFinite(epsOf(rule)))) {
    throw new TtError("E_OPTION", `eps = ${rule.eps} is not a finite number above 0`);
  }
  if (rule.kind === "momentum") checkDecay("momentum", rule.momentum);
  if (rule.kind === "adam") {
    const { beta1, beta2 } = betasOf(rule);
    checkDecay("beta1", beta1);
    checkDecay("beta2", beta2);
    if (!(Number.isSafeInteger(rule.step) && rule.step >= 1))
      throw new TtError("E_OPTION", `step = ${rule.step} is not a whole number of at least 1`);
  }
  if (!Number.isFinite(scale)) throw new TtError("E_OPTION", `scale = ${scale} is not finite`);
}

function checkDecay(name: string, value: number): void {
  if (!(value >= 0 && value < 1)) throw new TtError("E_OPTION", `${name} = ${value} is not at least 0 and below 1`);
}

/** The value of eps, with its default. */
function epsOf({ kind, eps = kind === "adam" ? 1e-8 : 1e-10 }: AdagradRule | RowWiseAdagradRule | AdamRule): number {
  return eps;
}

function betasOf({ beta1 = 0.9, beta2 = 0.999 }: AdamRule): { readonly beta1: number; readonly beta2: number } {
  return { beta1, beta2 };
}

/** An eps that float32 rounds to 0 would make 0 / 0 of a gradient that was always 0. */
const LEAST_EPS = 2 ** -149;

/** The numbers of a rule as kernels take them: a factor on the direction, one on the gradient, and what else it needs. */
export interface RuleNumbers {
  /** Step length times `scale`, or with Adam's correction of the mean gradient. */
  readonly rate: number;
  /** Factor on the gradient in the accumulators. */
  readonly scale: number;
  /** Added to the root; 0 without accumulators of squares. */
  readonly eps: number;
  /** Decay of the velocity or mean gradient. */
  readonly decay1: number;
  /** Decay of the mean square. */
  readonly decay2: number;
  /** Adam's correction of the root of the mean square. */
  readonly rootFactor: number;
}

/** The numbers of a rule; its products are made in float64, and kernels round them once. */
export function ruleNumbers(rule: UpdateRule): RuleNumbers {
  const { learningRate, scale = 1 } = rule;
  const plain = { rate: learningRate * scale, scale, eps: 0, decay1: 0, decay2: 0, rootFactor: 1 };
  if (rule.kind === "sgd") return plain;
  // The velocity is scaled already.
  if (rule.kind === "momentum") return { ...plain, rate: learningRate, decay1: rule.momentum };
  const eps = Math.max(epsOf(rule), LEAST_EPS);
  if (rule.kind !== "adam") return { ...plain, eps };
  const { beta1, beta2 } = betasOf(rule);
  const rate = learningRate / (1 - beta1 ** rule.step);
  return { rate, scale, eps, decay1: beta1, decay2: beta2, rootFactor: 1 / Math.sqrt(1 - beta2 ** rule.step) };
}

/**
 * Updates one slice of `weights` from its gradient, `count` elements from `weightOffset` and `gradientOffset` on. `state`
 * holds the accumulators: those of momentum and Adagrad beside the weights, Adam's mean gradients beside the weights and in a
 * second half its mean squares, row-wise Adagrad's one a slice, of which this is number `slice`.
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
  if (rule.kind === "momentum") {
    for (let i = 0; i < count; i++) {
      const v = rule.momentum * state[weightOffset + i] + scale * gradient[gradientOffset + i];
      state[weightOffset + i] = v;
      weights[weightOffset + i] -= learningRate * v;
    }
    return;
  }
  const eps = epsOf(rule);
  if (rule.kind === "adam") {
    const { rate, decay1, decay2, rootFactor } = ruleNumbers(rule);
    for (let i = 0; i < count; i++) {
      const g = scale * gradient[gradientOffset + i];
      const at = weightOffset + i;
      const m = decay1 * state[at] + (1 - decay1) * g;
      const v = decay2 * state[weights.length + at] + (1 - decay2) * g * g;
      state[at] = m;
      state[weights.length + at] = v;
      weights[at] -= (rate * m) / (Math.sqrt(v) * rootFactor + eps);
    }
    return;
  }
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
