import { positions } from "../decompose/mode-tensor.ts";
import { multiply } from "../linear-algebra/products.ts";

/** Products of the factors before a core, [prefix][columns][rank]: all row digits before it, then all their columns. */
export function leftInterface(
  factors: readonly Float64Array[],
  ranks: readonly number[],
  k: number,
  rowShape: readonly number[],
  columnShape: readonly number[],
): Float64Array {
  let product: Float64Array = Float64Array.of(1);
  for (let i = 0; i < k; i++) {
    product = multiply(product, factors[i], product.length / ranks[i], ranks[i], factors[i].length / ranks[i]);
  }
  const { rows, columns } = positions(rowShape.slice(0, k), columnShape.slice(0, k));
  const rank = ranks[k];
  const result = new Float64Array(product.length);
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      for (let a = 0; a < rank; a++) result[to++] = product[(row + column) * rank + a];
    }
  }
  return result;
}

/** Products of the factors behind a core, [suffix][columns][rank]. */
export function rightInterface(
  factors: readonly Float64Array[],
  ranks: readonly number[],
  k: number,
  rowShape: readonly number[],
  columnShape: readonly number[],
): Float64Array {
  let product: Float64Array = Float64Array.of(1);
  for (let i = factors.length - 1; i > k; i--) {
    product = multiply(factors[i], product, factors[i].length / ranks[i + 1], ranks[i + 1], product.length / ranks[i + 1]);
  }
  const { rows, columns } = positions(rowShape.slice(k + 1), columnShape.slice(k + 1));
  const rank = ranks[k + 1];
  const size = product.length / rank;
  const result = new Float64Array(product.length);
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      for (let b = 0; b < rank; b++) result[to++] = product[b * size + row + column];
    }
  }
  return result;
}
