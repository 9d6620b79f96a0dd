import { TtError } from "@tt-rec/tensor";

/**
 * Area under the ROC curve, exactly: the probability that a positive sample outranks a negative one, a tie counting
 * half. NaN if all labels are equal or a score is NaN. Any rising function of the probability serves as score.
 * Throws `E_SHAPE` unless there is one score a label.
 */
export function areaUnderCurve(labels: ArrayLike<number>, scores: ArrayLike<number>): number {
  if (scores.length !== labels.length) throw new TtError("E_SHAPE", `${scores.length} scores for ${labels.length} labels`);
  const order = Uint32Array.from({ length: labels.length }, (_, i) => i).sort((a, b) => scores[a] - scores[b]);
  let positives = 0;
  let rankSum = 0;
  for (let start = 0; start < order.length; ) {
    // Comparing with NaN leaves no order at all.
    if (Number.isNaN(scores[order[start]])) return Number.NaN;
    let end = start + 1;
    while (end < order.length && scores[order[end]] === scores[order[start]]) end++;
    // Samples of one score share the mean of their ranks, which start at 1.
    const rank = (start + 1 + end) / 2;
    for (let i = start; i < end; i++) {
      if (labels[order[i]] > 0.5) {
        positives++;
        rankSum += rank;
      }
    }
    start = end;
  }
  const negatives = order.length - positives;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}
