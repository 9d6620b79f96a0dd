import { TtError } from "@tt-rec/tensor";
import type { BinaryMetrics } from "./metrics/binary-metrics.ts";

/** The metrics by which models of one run can be ranked. */
export const RANKING_METRICS = ["auc", "accuracy", "logLoss"] as const;

/** One of them; a smaller log-loss is better, a larger value of the others. */
export type RankingMetric = (typeof RANKING_METRICS)[number];

/** Which evaluation is the best, and when a run has seen enough of them. */
export interface StoppingRule {
  /** What ranks the evaluations. */
  readonly metric: RankingMetric;
  /** Stop after this many evaluations in a row that did not beat the best one. Absent: never for that reason. */
  readonly patience?: number;
  /** An evaluation beats the best one if it is better by more than this. Default 0. */
  readonly minDelta?: number;
  /** Stop as soon as the metric is as good as this. Absent: never for that reason. */
  readonly threshold?: number;
}

/** The best evaluation of a run so far; part of its progress, so that a resumed run stops where an uninterrupted one does. */
export interface BestEvaluation {
  /** Steps taken before it. */
  readonly step: number;
  /** Value of the metric. */
  readonly value: number;
  /** Evaluations since. */
  readonly since: number;
}

/** Throws `E_OPTION` on an unknown metric or a number out of its range. */
export function validateStoppingRule({ metric, patience = 1, minDelta = 0, threshold = 0 }: StoppingRule): void {
  const fail = (rule: string): never => {
    throw new TtError("E_OPTION", rule);
  };
  if (!RANKING_METRICS.includes(metric)) fail(`metric = ${JSON.stringify(metric)} is not one of ${RANKING_METRICS.join(", ")}`);
  if (!(Number.isSafeInteger(patience) && patience >= 1)) fail(`patience = ${patience} is not a whole number of at least 1`);
  if (!(Number.isFinite(minDelta) && minDelta >= 0)) fail(`minDelta = ${minDelta} is not a number of at least 0`);
  if (!Number.isFinite(threshold)) fail(`threshold = ${threshold} is not a finite number`);
}

/** The best evaluation after one more. An undefined metric (NaN) is never the best. */
export function rankEvaluation(
  { metric, minDelta = 0 }: StoppingRule,
  best: BestEvaluation | undefined,
  step: number,
  metrics: BinaryMetrics,
): BestEvaluation | undefined {
  const value = metrics[metric];
  const gain = best === undefined ? Number.POSITIVE_INFINITY : metric === "logLoss" ? best.value - value : value - best.value;
  if (!Number.isNaN(value) && gain > minDelta) return { step, value, since: 0 };
  return best && { ...best, since: best.since + 1 };
}

/** Why a run is over after its best evaluation so far; undefined if it is not. */
export function stopReason(rule: StoppingRule, best: BestEvaluation | undefined): string | undefined {
  if (best === undefined) return undefined;
  const { metric, patience, threshold } = rule;
  const reached = threshold !== undefined && (metric === "logLoss" ? best.value <= threshold : best.value >= threshold);
  if (reached) return `${metric} ${best.value} reached the threshold, ${threshold}`;
  if (patience === undefined || best.since < patience) return undefined;
  return `${metric} did not get better than ${best.value}, of step ${best.step}, in ${best.since} evaluations`;
}
