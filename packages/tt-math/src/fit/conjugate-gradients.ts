import { dot } from "../linear-algebra/vector-loops.ts";

/**
 * Lowers xᵀAx/2 − bᵀx for a symmetric positive semidefinite A, in place, from where `x` is; never raises it.
 *
 * `apply` writes A times its first argument to its second. Stops after `iterations`, or when the gradient has shrunk to
 * `tolerance` of b. Directions that A does not see are left alone.
 */
export function conjugateGradients(
  apply: (x: Float64Array, out: Float64Array) => void,
  b: Float64Array,
  x: Float64Array,
  iterations: number,
  tolerance: number,
): void {
  const size = b.length;
  const product = new Float64Array(size);
  apply(x, product);
  const residual = b.map((value, i) => value - product[i]);
  const direction = residual.slice();
  let squares = dot(residual, 0, residual, 0, size);
  const enough = tolerance * tolerance * dot(b, 0, b, 0, size);
  for (let iteration = 0; iteration < iterations && squares > enough; iteration++) {
    apply(direction, product);
    const curvature = dot(direction, 0, product, 0, size);
    // Rounding can make a flat direction look concave.
    if (!(curvature > 0)) return;
    const step = squares / curvature;
    for (let i = 0; i < size; i++) {
      x[i] += step * direction[i];
      residual[i] -= step * product[i];
    }
    const next = dot(residual, 0, residual, 0, size);
    for (let i = 0; i < size; i++) direction[i] = residual[i] + (next / squares) * direction[i];
    squares = next;
  }
}
