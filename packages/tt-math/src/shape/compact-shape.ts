import { TtError } from "@tt-rec/tensor";
import { requirePositive } from "./limits.ts";
import { suggestShape } from "./suggest-shape.ts";
import { createTTShape, parameterCount } from "./tt-shape.ts";

/** The largest factor over the smallest: smaller inner cores save more, but starve. */
const SPREAD = Math.SQRT2;

/**
 * Row factors with the fewest parameters at a rank, among those whose largest is at most √2 times the smallest: little
 * padding, and the smallest factors in the inner cores, which are quadratic in the rank.
 *
 * Never more parameters than `suggestShape` has; 10,131,227 rows at rank 32 take 0.82 of them. Throws E_OPTION for numbers that
 * are not positive integers.
 */
export function compactShape(numEmbeddings: number, columnShape: readonly number[], rank: number): number[] {
  requirePositive("numEmbeddings", numEmbeddings);
  requirePositive("rank", rank);
  const d = columnShape.length;
  if (d < 2) throw new TtError("E_OPTION", `a TT shape has at least 2 cores, not ${d}`);
  const embeddingDim = columnShape.reduce((a, b) => a * b, 1);
  const count = (rowShape: readonly number[]): number =>
    parameterCount(createTTShape({ numEmbeddings, embeddingDim, rowShape, columnShape, ranks: rank }));
  // Without the clipping of ranks, which large tables do not meet: the search asks for thousands of sizes.
  const weights = columnShape.map((q, k) => q * (k === 0 || k === d - 1 ? rank : rank * rank));
  const center = numEmbeddings ** (1 / d);
  const [lowest, highest] = [Math.max(1, Math.floor(center / SPREAD)), Math.ceil(center * SPREAD)];
  let best = suggestShape(numEmbeddings, d);
  let fewest = best.reduce((sum, p, k) => sum + p * weights[k], 0);
  const chosen = new Array<number>(d);
  const descend = (k: number, rows: number, sum: number, smallest: number, largest: number): void => {
    if (k === d - 1) {
      chosen[k] = Math.ceil(numEmbeddings / rows);
      const total = sum + chosen[k] * weights[k];
      if (total >= fewest || Math.max(largest, chosen[k]) > SPREAD * Math.min(smallest, chosen[k])) return;
      best = chosen.slice();
      fewest = total;
      return;
    }
    for (let p = lowest; p <= highest && sum + p * weights[k] < fewest; p++) {
      chosen[k] = p;
      const [low, high] = [Math.min(smallest, p), Math.max(largest, p)];
      if (high <= SPREAD * low) descend(k + 1, rows * p, sum + p * weights[k], low, high);
    }
  };
  descend(0, 1, 0, Number.POSITIVE_INFINITY, 0);
  const suggested = suggestShape(numEmbeddings, d);
  return count(best) <= count(suggested) ? best : suggested;
}
