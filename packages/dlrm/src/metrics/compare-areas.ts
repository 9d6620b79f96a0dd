import { TtError } from "@tt-rec/tensor";
import { areaUnderCurve, type RankedScores, rankScores } from "./auc.ts";

/** How far the areas under the ROC curve of two models are apart on the same samples. */
export interface AreaDifference {
  /** Area of the first model, the mean over its runs. */
  readonly first: number;
  /** Area of the second model, likewise. */
  readonly second: number;
  /** second − first. */
  readonly difference: number;
  /** Standard error of the difference, from the sampling of the test rows. */
  readonly standardError: number;
  /** The difference's 95 % interval. */
  readonly interval: readonly [low: number, high: number];
}

/** The normal distribution has 95 % of its mass within so many standard deviations. */
const NORMAL_95 = 1.959963984540054;

/**
 * Compares the areas of two models on the same samples by DeLong's method (DeLong, DeLong and Clarke-Pearson 1988), in
 * O(n log n) by ranks (Sun and Xu 2014). A model may have been trained several times: the mean area of its runs is compared, with
 * the placements of each sample averaged over the runs; the interval then tells the sampling of the test rows alone.
 *
 * Throws `E_SHAPE` unless each run has one score a label and each model a run, `E_EMPTY` unless each class has two samples.
 */
export function compareAreas(
  labels: ArrayLike<number>,
  first: readonly ArrayLike<number>[],
  second: readonly ArrayLike<number>[],
): AreaDifference {
  if (first.length === 0 || second.length === 0) throw new TtError("E_SHAPE", "a model without a run has no area");
  const [a, b] = [first, second].map((runs) => meanPlacements(labels, runs));
  const variance = varianceOfMean(b.positives, a.positives) + varianceOfMean(b.negatives, a.negatives);
  const [areaA, areaB] = [first, second].map((runs) => mean(runs.map((scores) => areaUnderCurve(labels, scores))));
  const difference = areaB - areaA;
  const standardError = Math.sqrt(variance);
  const margin = NORMAL_95 * standardError;
  return { first: areaA, second: areaB, difference, standardError, interval: [difference - margin, difference + margin] };
}

/** For each sample, in the order of its class, the share of the other class that it is on the right side of. */
function meanPlacements(labels: ArrayLike<number>, runs: readonly ArrayLike<number>[]): RankedScores {
  const ranked = runs.map((scores) => rankScores(labels, scores));
  const [{ positives, negatives }] = ranked;
  if (positives.length < 2 || negatives.length < 2) {
    const counts = `${positives.length} positive and ${negatives.length} negative samples`;
    throw new TtError("E_EMPTY", `an interval needs two samples of each class; there are ${counts}`);
  }
  const mean: RankedScores = {
    positives: new Float64Array(positives.length),
    negatives: new Float64Array(negatives.length),
  };
  for (const [run, scores] of runs.entries()) {
    let [p, n] = [0, 0];
    for (let i = 0; i < labels.length; i++) {
      if (labels[i] > 0.5) mean.positives[p++] += shareBelow(ranked[run].negatives, scores[i]) / runs.length;
      else mean.negatives[n++] += (1 - shareBelow(ranked[run].positives, scores[i])) / runs.length;
    }
  }
  return mean;
}

/** Share of ascending values below a score, those equal to it counting half. */
function shareBelow(ascending: Float64Array, score: number): number {
  return (countBelow(ascending, score, false) + countBelow(ascending, score, true)) / (2 * ascending.length);
}

function countBelow(ascending: Float64Array, score: number, orEqual: boolean): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle] < score || (orEqual && ascending[middle] === score)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Variance of the mean of b − a. */
function varianceOfMean(b: Float64Array, a: Float64Array): number {
  const differences = b.map((value, i) => value - a[i]);
  const center = mean(differences);
  const squares = differences.reduce((sum, value) => sum + (value - center) ** 2, 0);
  return squares / (differences.length - 1) / differences.length;
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}
