/** Row-major products of the small matrices of a chain, at offsets of larger arrays. All of them add to `out`. */

/** `out += a·b` with `a` m×k, `b` k×n, `out` m×n. */
export function addNN(
  a: Float32Array,
  aOffset: number,
  b: Float32Array,
  bOffset: number,
  out: Float32Array,
  outOffset: number,
  m: number,
  n: number,
  k: number,
): void {
  for (let i = 0; i < m; i++) {
    const row = outOffset + i * n;
    for (let p = 0; p < k; p++) {
      const x = a[aOffset + i * k + p];
      const source = bOffset + p * n;
      for (let j = 0; j < n; j++) out[row + j] += x * b[source + j];
    }
  }
}

/** `out += aᵀ·b` with `a` k×m, `b` k×n, `out` m×n. */
export function addTN(
  a: Float32Array,
  aOffset: number,
  b: Float32Array,
  bOffset: number,
  out: Float32Array,
  outOffset: number,
  m: number,
  n: number,
  k: number,
): void {
  for (let p = 0; p < k; p++) {
    const source = bOffset + p * n;
    for (let i = 0; i < m; i++) {
      const x = a[aOffset + p * m + i];
      const row = outOffset + i * n;
      for (let j = 0; j < n; j++) out[row + j] += x * b[source + j];
    }
  }
}

/** `out += a·bᵀ` with `a` m×k, `b` n×k, `out` m×n. */
export function addNT(
  a: Float32Array,
  aOffset: number,
  b: Float32Array,
  bOffset: number,
  out: Float32Array,
  outOffset: number,
  m: number,
  n: number,
  k: number,
): void {
  for (let i = 0; i < m; i++) {
    const left = aOffset + i * k;
    for (let j = 0; j < n; j++) {
      const right = bOffset + j * k;
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[left + p] * b[right + p];
      out[outOffset + i * n + j] += sum;
    }
  }
}
