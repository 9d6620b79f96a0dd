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

/**
 * Gradients of all cores by the definition, in float64, from a gradient [rows.length, prod(q)] of some rows of the table: each
 * element of a core multiplies what lies left and right of it in the train.
 */
export function gradientsOfCores(
  cores: readonly ArrayLike<number>[],
  rowShape: readonly number[],
  columnShape: readonly number[],
  ranks: readonly number[],
  rows: ArrayLike<number>,
  gradients: ArrayLike<number>,
): Float64Array[] {
  const columns = columnShape.reduce((a, b) => a * b, 1);
  const sums = cores.map((core) => new Float64Array(core.length));
  for (let i = 0; i < rows.length; i++) {
    const rowDigits = digits(rows[i], rowShape);
    for (let column = 0; column < columns; column++) {
      const columnDigits = digits(column, columnShape);
      const base = (k: number, a: number): number =>
        ((rowDigits[k] * ranks[k] + a) * columnShape[k] + columnDigits[k]) * ranks[k + 1];
      const left = [[1]];
      const right: number[][] = [];
      right[cores.length] = [1];
      for (let k = 0; k + 1 < cores.length; k++) {
        left.push(
          Array.from({ length: ranks[k + 1] }, (_, b) => left[k].reduce((sum, x, a) => sum + x * cores[k][base(k, a) + b], 0)),
        );
      }
      for (let k = cores.length - 1; k > 0; k--) {
        right[k] = Array.from({ length: ranks[k] }, (_, a) =>
          right[k + 1].reduce((sum, x, b) => sum + x * cores[k][base(k, a) + b], 0),
        );
      }
      for (const [k, sum] of sums.entries()) {
        for (const [a, x] of left[k].entries()) {
          for (const [b, y] of right[k + 1].entries()) sum[base(k, a) + b] += gradients[i * columns + column] * x * y;
        }
      }
    }
  }
  return sums;
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
