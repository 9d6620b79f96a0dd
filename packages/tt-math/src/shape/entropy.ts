/**
 * Shannon entropy in nats of p / sum(p).
 *
 * Divides before the logarithm and sums in order, so that proportional shapes such as 99³ and 100³ tie exactly.
 */
export function entropy(p: readonly number[]): number {
  let sum = 0;
  for (const part of p) sum += part;
  let result = 0;
  for (const part of p) result -= (part / sum) * Math.log(part / sum);
  return result;
}
