import type { Rng } from "@tt-rec/tensor";

/** Where the tails of the sampled Gaussian begin (FBTT-Embedding's `approx-normal`). */
const TAIL = 2;

/** E[x² | |x| ≥ 2] of the standard normal distribution: 1 + 2·φ(2)/Q(2). */
export const tailSecondMoment: number = 5.74643106564568;

/**
 * Draws from the standard normal distribution given |x| ≥ 2, by Marsaglia's tail method (1964).
 *
 * It accepts 84 draws of 100, where rejecting whole normals would accept 4.55.
 */
export function tailNormal(rng: Rng): number {
  for (;;) {
    const signed = 2 * rng.uniform() - 1;
    // 1 − |signed| lies in (0, 1] but for −1 itself, whose logarithm is −∞; its infinite x is rejected below.
    const x = Math.sqrt(TAIL * TAIL - 2 * Math.log(1 - Math.abs(signed)));
    if (x * rng.uniform() <= TAIL) return signed < 0 ? -x : x;
  }
}
