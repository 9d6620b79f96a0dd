/** Σ x[i]·y[i] over two ranges of `length`; four partial sums, since one would wait for each addition. */
export function dot(x: Float64Array, xStart: number, y: Float64Array, yStart: number, length: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    a += x[xStart + i] * y[yStart + i];
    b += x[xStart + i + 1] * y[yStart + i + 1];
    c += x[xStart + i + 2] * y[yStart + i + 2];
    d += x[xStart + i + 3] * y[yStart + i + 3];
  }
  for (; i < length; i++) a += x[xStart + i] * y[yStart + i];
  return a + b + (c + d);
}

/** y += factor·x over two ranges of `length`. */
export function addScaled(
  factor: number,
  x: Float64Array,
  xStart: number,
  y: Float64Array,
  yStart: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) y[yStart + i] += factor * x[xStart + i];
}

/** Turns two ranges of `length` into cosine·x − sine·y and sine·x + cosine·y. */
export function rotate(x: Float64Array, xStart: number, yStart: number, length: number, cosine: number, sine: number): void {
  for (let i = 0; i < length; i++) {
    const p = x[xStart + i];
    const q = x[yStart + i];
    x[xStart + i] = cosine * p - sine * q;
    x[yStart + i] = sine * p + cosine * q;
  }
}
