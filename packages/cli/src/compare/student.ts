/** A mean and how far its 95 % interval reaches to either side. */
export interface Interval {
  readonly mean: number;
  /** Half of the interval's width; NaN for a single value. */
  readonly margin: number;
}

/** Student's t by degrees of freedom, from 1: 95 % of its mass is within so many standard errors. */
const T_95 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11, 2.101,
  2.093,
];
/** From 20 degrees on, the value of 20 is wide enough. */
const T_95_BEYOND = 2.086;

/** The mean of some values with its 95 % interval by Student's t. */
export function meanInterval(values: readonly number[]): Interval {
  const count = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / count;
  if (count < 2) return { mean, margin: Number.NaN };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  return { mean, margin: (T_95[count - 2] ?? T_95_BEYOND) * Math.sqrt(variance / count) };
}
