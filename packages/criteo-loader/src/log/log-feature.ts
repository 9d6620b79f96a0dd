/** Numbers below this take their logarithm from a table: nearly all of a click log. */
const TABULATED = 1 << 16;

const TABLE: Float32Array = Float32Array.from({ length: TABULATED }, (_, count) => Math.log(count + 1));

/**
 * The dense feature of a whole number: ln(x + 1) in float32, 0 if x is missing or negative (DLRM's preprocessing). The
 * only place that takes the logarithm, so that every engine gives the same bits.
 */
export function logFeature(value: number): number {
  if (value < TABULATED) return value > 0 ? TABLE[value] : 0;
  return Math.fround(Math.log(value + 1));
}
