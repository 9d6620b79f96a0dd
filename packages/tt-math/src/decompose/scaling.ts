/** Elements between these powers of two have squares and sums of squares far from the limits of float64. */
const SAFE_EXPONENT = 100;

/** A power of two that brings elements to about 1 where they are extremely large or small; 0, no scaling, elsewhere. */
export function extremeExponent(values: Float32Array | Float64Array): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  if (largest === 0) return 0;
  const exponent = Math.floor(Math.log2(largest));
  return Math.abs(exponent) > SAFE_EXPONENT ? exponent : 0;
}

/** Multiplies by 2^exponent in place, in steps that neither overflow nor underflow on the way. */
export function scaleByPower(values: Float64Array, exponent: number): void {
  for (let left = exponent; left !== 0; ) {
    const step = Math.max(-1000, Math.min(1000, left));
    const factor = 2 ** step;
    for (let i = 0; i < values.length; i++) values[i] *= factor;
    left -= step;
  }
}

/** Multiplies a train by 2^exponent, in equal parts to all factors, so that none of them leaves the range of float32. */
export function spreadPower(factors: readonly Float64Array[], exponent: number): void {
  const share = Math.trunc(exponent / factors.length);
  for (const [k, factor] of factors.entries()) scaleByPower(factor, k === 0 ? exponent - share * (factors.length - 1) : share);
}
