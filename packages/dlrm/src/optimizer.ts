import { type DenseKernels, TtError, type UpdateRule, validateUpdateRule } from "@tt-rec/tensor";
import { addTo } from "./layers/add-to.ts";
import type { DenseParameter } from "./layers/dense-parameter.ts";
import { learningRateAt, type ScheduleConfig, validateSchedule } from "./schedule.ts";

/** A rule that parameters follow. */
export type OptimizerKind = "sgd" | "adagrad" | "rowWiseAdagrad" | "adam";

/**
 * How a model learns; plain data. What a step does is a function of this and of the number of the step, besides the
 * accumulators that belong to the parameters.
 *
 * Embeddings are updated only in the rows, or slices of cores, that the batch touched: accumulators of others neither grow
 * nor decay. For Adam that is PyTorch's `SparseAdam`, with eps behind the bias correction.
 */
export interface OptimizerConfig {
  /** The rule. Row-wise Adagrad is for embeddings (one accumulator a row or core slice); dense layers follow Adagrad then, as in DLRM. */
  readonly kind: OptimizerKind;
  /** The rule of embeddings, if it is another one; default `kind`. */
  readonly embeddingKind?: OptimizerKind;
  /** Step length of the dense layers, and of all parts that have no other. */
  readonly learningRate: number;
  /** Step length of tables that are not in TT format; default `learningRate`. */
  readonly embeddingLearningRate?: number;
  /** Step length of TT-cores; default `learningRate`. */
  readonly ttLearningRate?: number;
  /** Step length of cached rows of TT tables; default that of the cores. */
  readonly cacheLearningRate?: number;
  /** Added to the root of Adagrad's and Adam's accumulators; default 1e-10 and 1e-8. */
  readonly eps?: number;
  /** Share β of SGD's velocity v = β·v + g that the next step keeps; dense layers only. Default 0. */
  readonly momentum?: number;
  /** Adam's decay of the mean gradient; default 0.9. */
  readonly beta1?: number;
  /** Adam's decay of the mean square; default 0.999. */
  readonly beta2?: number;
  /** λ of the term λ·w that is added to the gradient of each dense layer's weight and bias. Default 0. */
  readonly weightDecay?: number;
  /**
   * λ of the term λ/2 · Σ‖e‖², averaged over samples, of the embeddings e that the samples looked up, which is added to
   * what is minimised, not to the reported loss. So a row decays when it is looked up, in proportion to its occurrences; rows
   * made of shared parts (TT, hashed, …) are penalised as the rows they are. Of a bag of several ids e is the pooled vector. Default 0.
   */
  readonly embeddingL2?: number;
  /** Largest Euclidean norm of the gradient of all parameters; a longer one is scaled down to it. Absent: no limit. */
  readonly clipNorm?: number;
  /** Factor on all rates by the number of the step; absent: 1. */
  readonly schedule?: ScheduleConfig;
}

/** Rules of the parts of a model in one step. */
export interface PartRules {
  /** Dense layers. */
  readonly dense: UpdateRule;
  /** Tables that are not in TT format. */
  readonly rows: UpdateRule;
  /** TT-cores. */
  readonly cores: UpdateRule;
  /** Cached rows of TT tables. */
  readonly cached: UpdateRule;
}

const KINDS: readonly OptimizerKind[] = ["sgd", "adagrad", "rowWiseAdagrad", "adam"];

/** Throws `E_OPTION` unless every number makes sense. */
export function validateOptimizer(config: OptimizerConfig): void {
  const { kind, embeddingKind = kind, momentum = 0, weightDecay = 0, embeddingL2 = 0, clipNorm = 1, schedule } = config;
  for (const rule of [kind, embeddingKind]) {
    if (!KINDS.includes(rule))
      throw new TtError("E_OPTION", `the optimizer "${rule}" is not known; known are ${KINDS.join(", ")}`);
  }
  if (!(momentum >= 0 && momentum < 1)) throw new TtError("E_OPTION", `momentum = ${momentum} is not at least 0 and below 1`);
  if (momentum > 0 && kind !== "sgd") throw new TtError("E_OPTION", `momentum = ${momentum} is for sgd, not for ${kind}`);
  for (const [name, value] of Object.entries({ weightDecay, embeddingL2 })) {
    if (!(value >= 0 && Number.isFinite(value)))
      throw new TtError("E_OPTION", `${name} = ${value} is not a finite number of at least 0`);
  }
  if (!(clipNorm > 0 && Number.isFinite(clipNorm)))
    throw new TtError("E_OPTION", `clipNorm = ${clipNorm} is not a finite number above 0`);
  if (schedule !== undefined) validateSchedule(schedule);
  for (const rule of Object.values(partRules(config, 1))) validateUpdateRule(rule);
}

/** The rules of a step, counted from 1. */
export function partRules(config: OptimizerConfig, step: number): PartRules {
  const { kind, embeddingKind = kind, learningRate, embeddingLearningRate, ttLearningRate = learningRate, schedule } = config;
  const rate = (base: number): number => (schedule === undefined ? base : learningRateAt(schedule, base, step));
  const rule = (name: OptimizerKind, base: number): UpdateRule => ruleOf(config, name, rate(base), step);
  const { momentum = 0 } = config;
  return {
    dense: momentum > 0 ? { kind: "momentum", learningRate: rate(learningRate), momentum } : denseRule(rule(kind, learningRate)),
    rows: rule(embeddingKind, embeddingLearningRate ?? learningRate),
    cores: rule(embeddingKind, ttLearningRate),
    cached: rule(embeddingKind, config.cacheLearningRate ?? ttLearningRate),
  };
}

function ruleOf({ eps, beta1, beta2 }: OptimizerConfig, kind: OptimizerKind, learningRate: number, step: number): UpdateRule {
  if (kind === "sgd") return { kind, learningRate };
  const withEps = { learningRate, ...(eps !== undefined && { eps }) };
  if (kind !== "adam") return { kind, ...withEps };
  return { kind, step, ...withEps, ...(beta1 !== undefined && { beta1 }), ...(beta2 !== undefined && { beta2 }) };
}

/** The rule of a parameter that has no rows of its own to follow: row-wise Adagrad becomes Adagrad, as in DLRM. */
export function denseRule(rule: UpdateRule): UpdateRule {
  return rule.kind === "rowWiseAdagrad" ? { ...rule, kind: "adagrad" } : rule;
}

/** The factor on all gradients that brings their norm down to the limit; 1 if it is within, or there is no limit. */
export function clipFactor({ clipNorm }: OptimizerConfig, sumOfSquares: number): number {
  return clipNorm === undefined ? 1 : Math.min(1, clipNorm / Math.sqrt(sumOfSquares));
}

/** The rules with a factor on the gradients. */
export function scaled(rules: PartRules, scale: number): PartRules {
  if (scale === 1) return rules;
  const { dense, rows, cores, cached } = rules;
  return { dense: { ...dense, scale }, rows: { ...rows, scale }, cores: { ...cores, scale }, cached: { ...cached, scale } };
}

/** Adds λ·w to the gradients of dense parameters, after the factor that the rule applies to them. */
export async function decayWeights(
  kernels: DenseKernels,
  { weightDecay = 0 }: OptimizerConfig,
  parameters: readonly DenseParameter[],
  scale: number,
): Promise<void> {
  if (weightDecay === 0) return;
  for (const { gradient, weights } of parameters) await addTo(kernels, gradient, weights, weightDecay / scale);
}
