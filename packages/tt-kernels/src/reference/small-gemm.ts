/** Adds to `out` (m×n) a row-major product of small matrices, each at an offset of a larger array; k is summed over. */
type AddProduct = (
  a: Float32Array,
  aOffset: number,
  b: Float32Array,
  bOffset: number,
  out: Float32Array,
  outOffset: number,
  m: number,
  n: number,
  k: number,
) => void;

/** `out += a·b` with `a` m×k, `b` k×n, `out` m×n. */
export const addNN: AddProduct = (a, aOffset, b, bOffset, out, outOffset, m, n, k) => {
  for (let i = 0; i < m; i++) {
    const row = outOffset + i * n;
    for (let p = 0; p < k; p++) {
      const x = a[aOffset + i * k + p];
      const source = bOffset + p * n;
      for (let j = 0; j < n; j++) out[row + j] += x * b[source + j];
    }
  }
};

/** `out += aᵀ·b` with `a` k×m, `b` k×n, `out` m×n. */
export const addTN: AddProduct = (a, aOffset, b, bOffset, out, outOffset, m, n, k) => {
  for (let p = 0; p < k; p++) {
    const source = bOffset + p * n;
    for (let i = 0; i < m; i++) {
      const x = a[aOffset + p * m + i];
      const row = outOffset + i * n;
      for (let j = 0; j < n; j++) out[row + j] += x * b[source + j];
    }
  }
};

/** `out += a·bᵀ` with `a` m×k, `b` n×k, `out` m×n. */
export const addNT: AddProduct = (a, aOffset, b, bOffset, out, outOffset, m, n, k) => {
  for (let i = 0; i < m; i++) {
    const left = aOffset + i * k;
    for (let j = 0; j < n; j++) {
      const right = bOffset + j * k;
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[left + p] * b[right + p];
      out[outOffset + i * n + j] += sum;
    }
  }
};
