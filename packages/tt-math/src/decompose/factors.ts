import { multiply } from "../linear-algebra/products.ts";
import { coreShape, type TTShape } from "../shape/tt-shape.ts";

/** Core k in float64 with its rank first, row-major [r_k, p_k, q_k, r_(k+1)]: a matrix to either side without a move. */
export function toFactor(core: Float32Array, [p, left, q, right]: readonly number[]): Float64Array {
  const factor = new Float64Array(core.length);
  const width = q * right;
  for (let i = 0; i < p; i++) {
    for (let a = 0; a < left; a++) {
      const from = (i * left + a) * width;
      const to = (a * p + i) * width;
      for (let b = 0; b < width; b++) factor[to + b] = core[from + b];
    }
  }
  return factor;
}

/** Rounds a factor to float32 and moves the row digit to the front; the inverse of `toFactor`. */
function toCore(factor: Float64Array, [p, left, q, right]: readonly number[]): Float32Array {
  const core = new Float32Array(factor.length);
  const width = q * right;
  for (let a = 0; a < left; a++) {
    for (let i = 0; i < p; i++) {
      const from = (a * p + i) * width;
      const to = (i * left + a) * width;
      for (let b = 0; b < width; b++) core[to + b] = factor[from + b];
    }
  }
  return core;
}

/** All factors of a shape, rounded to cores. */
export function toCores(shape: TTShape, factors: readonly Float64Array[]): Float32Array[] {
  return factors.map((factor, k) => toCore(factor, coreShape(shape, k)));
}

/** Multiplies factors out to the tensor [p1·q1, …, pd·qd]. */
export function multiplyOut(factors: readonly Float64Array[], ranks: readonly number[]): Float64Array {
  let result = factors[0];
  for (let k = 1; k < factors.length; k++) {
    result = multiply(result, factors[k], result.length / ranks[k], ranks[k], factors[k].length / ranks[k]);
  }
  return result;
}
