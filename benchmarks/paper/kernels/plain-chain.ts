import type { TTShape } from "@tt-rec/tt-math";

/**
 * The reference's forward pass in plain TypeScript: the chain of slices of every lookup, without regard to equal rows or prefixes.
 * Returns the rows [n, D].
 */
export function plainChain(
  { rowShape, columnShape, ranks }: TTShape,
  cores: readonly Float32Array[],
  ids: Uint32Array,
): Float32Array {
  const [[, p2, p3], [q1, q2, q3]] = [rowShape, columnShape];
  const [, r1, r2] = ranks;
  const dim = q1 * q2 * q3;
  const out = new Float32Array(ids.length * dim);
  const product = new Float32Array(q1 * q2 * r2);
  for (let n = 0; n < ids.length; n++) {
    const id = ids[n];
    const first = cores[0].subarray(Math.floor(id / (p2 * p3)) * q1 * r1);
    const middle = cores[1].subarray((Math.floor(id / p3) % p2) * r1 * q2 * r2);
    const last = cores[2].subarray((id % p3) * r2 * q3);
    multiply(first, middle, product, q1, r1, q2 * r2);
    multiply(product, last, out.subarray(n * dim, (n + 1) * dim), q1 * q2, r2, q3);
  }
  return out;
}

/** `out = a·b` for [m, k]·[k, n]. */
function multiply(a: Float32Array, b: Float32Array, out: Float32Array, m: number, k: number, n: number): void {
  for (let row = 0; row < m; row++) {
    const to = row * n;
    for (let column = 0; column < n; column++) out[to + column] = 0;
    for (let i = 0; i < k; i++) {
      const factor = a[row * k + i];
      for (let column = 0; column < n; column++) out[to + column] += factor * b[i * n + column];
    }
  }
}
