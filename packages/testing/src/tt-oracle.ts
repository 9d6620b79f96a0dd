/**
 * The table that TT-cores stand for, by the definition: W[i, j] = G1[i1, :, j1, :] · … · Gd[id, :, jd, :], in float64.
 *
 * Core k is [p_k, r_k, q_k, r_(k+1)] row-major; `ranks` is the full form [1, …, 1]. Returns prod(p) × prod(q) row-major.
 */
export function denseFromCores(
  cores: readonly ArrayLike<number>[],
  rowShape: readonly number[],
  columnShape: readonly number[],
  ranks: readonly number[],
): Float64Array {
  const rows = rowShape.reduce((a, b) => a * b, 1);
  const columns = columnShape.reduce((a, b) => a * b, 1);
  const table = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const rowDigits = digits(row, rowShape);
    for (let column = 0; column < columns; column++) {
      const columnDigits = digits(column, columnShape);
      let vector = [1];
      for (let k = 0; k < cores.length; k++) {
        const [left, right] = [ranks[k], ranks[k + 1]];
        const next = new Array<number>(right).fill(0);
        for (let a = 0; a < left; a++) {
          const base = ((rowDigits[k] * left + a) * columnShape[k] + columnDigits[k]) * right;
          for (let b = 0; b < right; b++) next[b] += vector[a] * cores[k][base + b];
        }
        vector = next;
      }
      table[row * columns + column] = vector[0];
    }
  }
  return table;
}

function digits(index: number, shape: readonly number[]): number[] {
  const result: number[] = [];
  let rest = index;
  for (let k = shape.length - 1; k >= 0; k--) {
    result.unshift(rest % shape[k]);
    rest = Math.floor(rest / shape[k]);
  }
  return result;
}
