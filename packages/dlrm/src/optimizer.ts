import type { UpdateRule } from "@tt-rec/tensor";

/** How a model learns; plain data. */
export interface OptimizerConfig {
  /** The rule for all parameters; embeddings are updated only in the rows or slices of the batch. */
  readonly kind: "sgd" | "adagrad";
  /** Step length of the MLPs and of uncompressed tables. */
  readonly learningRate: number;
  /** Step length of TT tables and their caches; default `learningRate`. */
  readonly ttLearningRate?: number;
  /** Adagrad's eps; default 1e-10. */
  readonly eps?: number;
}

/** The update rule for dense parameters and uncompressed tables, or for TT tables. */
export function updateRule(
  { kind, learningRate, ttLearningRate = learningRate, eps }: OptimizerConfig,
  part: "dense" | "tt",
): UpdateRule {
  const rate = part === "tt" ? ttLearningRate : learningRate;
  return kind === "sgd" ? { kind, learningRate: rate } : { kind, learningRate: rate, ...(eps !== undefined && { eps }) };
}
