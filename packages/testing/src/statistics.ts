/** The `share` quantile of some numbers, between neighbours by straight lines; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  if (sorted.length === 0) return Number.NaN;
  return sorted[below] + (place - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}

/** The ratios of some rounds, summed up; empty if no round counts. */
export interface RatioSummary {
  /** The median. */
  readonly ratio?: number;
  /** The smallest. */
  readonly ratioMin?: number;
  /** The largest. */
  readonly ratioMax?: number;
}

/** Median, smallest and largest of the ratios of some rounds; nothing if no round counts. */
export function ratioSummary(ratios: readonly number[]): RatioSummary {
  if (ratios.length === 0) return {};
  return { ratio: quantile(ratios, 0.5), ratioMin: Math.min(...ratios), ratioMax: Math.max(...ratios) };
}
