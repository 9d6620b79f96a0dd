/**
 * Gradient of a scalar function by central differences in float64, one parameter at a time.
 *
 * `step` is the distance to either side; the truncation error falls with its square.
 */
export function finiteDifferences(f: (x: Float64Array) => number, x: Float64Array, step = 1e-4): Float64Array {
  const gradient = new Float64Array(x.length);
  const moved = x.slice();
  for (let i = 0; i < x.length; i++) {
    moved[i] = x[i] + step;
    const above = f(moved);
    moved[i] = x[i] - step;
    gradient[i] = (above - f(moved)) / (2 * step);
    moved[i] = x[i];
  }
  return gradient;
}
