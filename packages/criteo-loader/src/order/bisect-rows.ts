import { principalDirection } from "./principal-direction.ts";

/**
 * Orders the rows of a row-major [n, width] matrix along a tree: they are sorted in the direction in which they vary most
 * and cut near the middle, then each part for itself. Row number k of the result gets the index `first + k` of an
 * embedding table, and the cuts lie where the digits of a row shape p change, those of the most significant digit
 * first: rows that share a TT prefix, so are multiplied from the same core slices, are alike.
 *
 * Within a prefix rows stay sorted in their own direction. Directions of nodes that tell the same digit apart, at the same
 * depth, point the same way as far as they can, so that a digit means the same behind different prefixes. Equal rows stay in the
 * order given.
 */
export function bisectRows(matrix: Float32Array, width: number, rowShape: readonly number[], first: number): Uint32Array {
  const order = Uint32Array.from({ length: matrix.length / width }, (_, row) => row);
  const places = new Float64Array(order.length);
  const strides = rowShape.slice(1).map((_, k) => rowShape.slice(k + 1).reduce((product, factor) => product * factor, 1));
  const trends = new Map<string, Float64Array>();

  const sort = (part: Uint32Array, node: string): void => {
    const direction = principalDirection(matrix, width, part);
    const trend = trends.get(node) ?? new Float64Array(width);
    trends.set(node, trend);
    const sign = direction.reduce((sum, value, j) => sum + value * trend[j], 0) < 0 ? -1 : 1;
    for (let j = 0; j < width; j++) trend[j] += sign * direction[j];
    for (const row of part) {
      let place = 0;
      for (let j = 0; j < width; j++) place += matrix[row * width + j] * direction[j];
      places[row] = sign * place;
    }
    part.sort((a, b) => places[a] - places[b] || a - b);
  };
  /** `depth` counts the cuts above that tell the digit `level` apart. */
  const split = (from: number, to: number, level: number, depth: number): void => {
    if (to - from < 2) return;
    const { cut, digit } = cutBetween(first + from, first + to, strides);
    const depthInDigit = digit === level ? depth : 0;
    sort(order.subarray(from, to), `${digit}/${depthInDigit}`);
    if (cut === undefined) return;
    split(from, cut - first, digit, depthInDigit + 1);
    split(cut - first, to, digit, depthInDigit + 1);
  };
  split(0, order.length, 0, 0);
  return order;
}

/** The place nearest to the middle where the most significant digit that changes between two indices does so. */
function cutBetween(from: number, to: number, strides: readonly number[]): { readonly cut?: number; readonly digit: number } {
  for (const [digit, stride] of strides.entries()) {
    const cut = Math.round((from + to) / 2 / stride) * stride;
    if (cut > from && cut < to) return { cut, digit };
  }
  return { digit: strides.length };
}
