/**
 * Row-major float32 products on plain arrays. They are the oracle of the faster engines, so the only liberty taken
 * is to walk four rows at a time, which keeps the loads of the other operand in registers.
 */

/** `out += a·b` with `a` m×k, `b` k×n, `out` m×n. */
export function gemmNN(a: Float32Array, b: Float32Array, out: Float32Array, m: number, n: number, k: number): void {
  for (let i = 0; i < m; i++) axpyRows(a, i * k, 1, b, out, i * n, n, k);
}

/** `out += aᵀ·b` with `a` k×m, `b` k×n, `out` m×n. */
export function gemmTN(a: Float32Array, b: Float32Array, out: Float32Array, m: number, n: number, k: number): void {
  for (let i = 0; i < m; i++) axpyRows(a, i, m, b, out, i * n, n, k);
}

/** `out += a·bᵀ` with `a` m×k, `b` n×k, `out` m×n. */
export function gemmNT(a: Float32Array, b: Float32Array, out: Float32Array, m: number, n: number, k: number): void {
  for (let i = 0; i < m; i++) {
    const row = i * k;
    let j = 0;
    for (; j + 4 <= n; j += 4) {
      const b0 = j * k;
      const b1 = b0 + k;
      const b2 = b1 + k;
      const b3 = b2 + k;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let p = 0; p < k; p++) {
        const x = a[row + p];
        s0 += x * b[b0 + p];
        s1 += x * b[b1 + p];
        s2 += x * b[b2 + p];
        s3 += x * b[b3 + p];
      }
      const o = i * n + j;
      out[o] += s0;
      out[o + 1] += s1;
      out[o + 2] += s2;
      out[o + 3] += s3;
    }
    for (; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[row + p] * b[j * k + p];
      out[i * n + j] += sum;
    }
  }
}

/** Adds to one row of `out` the k rows of `b`, weighted by elements of `a` that lie `stride` apart. */
function axpyRows(
  a: Float32Array,
  aOffset: number,
  stride: number,
  b: Float32Array,
  out: Float32Array,
  outOffset: number,
  n: number,
  k: number,
): void {
  let p = 0;
  for (; p + 4 <= k; p += 4) {
    const x0 = a[aOffset + p * stride];
    const x1 = a[aOffset + (p + 1) * stride];
    const x2 = a[aOffset + (p + 2) * stride];
    const x3 = a[aOffset + (p + 3) * stride];
    const b0 = p * n;
    const b1 = b0 + n;
    const b2 = b1 + n;
    const b3 = b2 + n;
    for (let j = 0; j < n; j++) {
      out[outOffset + j] += x0 * b[b0 + j] + x1 * b[b1 + j] + x2 * b[b2 + j] + x3 * b[b3 + j];
    }
  }
  for (; p < k; p++) {
    const x = a[aOffset + p * stride];
    for (let j = 0; j < n; j++) out[outOffset + j] += x * b[p * n + j];
  }
}
