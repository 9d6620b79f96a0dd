import type { Rng } from "@tt-rec/tensor";
import { coreShape, type TTShape } from "../shape/tt-shape.ts";

/** Deviation of the entries off the diagonal, relative to the largest on it: enough for every rank to learn. */
const OFF_DIAGONAL = 0.01;

/**
 * Cores whose products are close to uniform, for any d and ranks.
 *
 * A number with random binary digits is uniform: Σ ±2^(−b). Rank b carries digit b: the cores have random signs on the
 * diagonal, whose product is a random sign, and the weight 2^(−b) in equal parts. With R ranks there are 2^R values. The
 * reference's `approx-uniform` instead places saw-tooth values for three cores.
 */
export function approxUniformCores(shape: TTShape, rng: Rng, standardDeviation: number): Float32Array[] {
  const d = shape.rowShape.length;
  const digits = Math.min(...shape.ranks.slice(1, -1));
  // The variance of Σ ±2^(−b) over b = 1 … digits.
  const range = standardDeviation / Math.sqrt((1 - 4 ** -digits) / 3);
  const weights = Array.from({ length: digits }, (_, b) => (range * 2 ** -(b + 1)) ** (1 / d));
  return shape.rowShape.map((_, k) => {
    const [p, left, q, right] = coreShape(shape, k);
    const core = new Float32Array(p * left * q * right);
    for (let at = 0; at < core.length; at++) {
      const b = at % right;
      const a = Math.floor(at / (right * q)) % left;
      const digit = k === 0 ? b : a;
      const diagonal = digit < digits && (k === 0 || k === d - 1 || a === b);
      core[at] = diagonal ? (rng.uniform() < 0.5 ? -1 : 1) * weights[digit] : OFF_DIAGONAL * weights[0] * rng.normal();
    }
    return core;
  });
}
