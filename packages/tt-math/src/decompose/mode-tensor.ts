/**
 * Reorders a row-major [n, D] table into the tensor [p1·q1, …, pd·qd], whose tensor train is that of the table.
 *
 * Rows from n to prod(p) are zeros.
 */
export function modeTensor(
  table: Float32Array | Float64Array,
  rowShape: readonly number[],
  columnShape: readonly number[],
): Float64Array {
  const { rows, columns } = positions(rowShape, columnShape);
  const tensor = new Float64Array(rows.length * columns.length);
  for (let from = 0, row = 0; from < table.length; row++) {
    for (let column = 0; column < columns.length; column++) tensor[rows[row] + columns[column]] = table[from++];
  }
  return tensor;
}

/** Where the rows and the columns of a table lie in its mode tensor; element (i, j) is at rows[i] + columns[j]. */
export function positions(
  rowShape: readonly number[],
  columnShape: readonly number[],
): { rows: Float64Array; columns: Float64Array } {
  const columnStrides = new Array<number>(columnShape.length);
  const rowStrides = new Array<number>(rowShape.length);
  let size = 1;
  for (let k = rowShape.length - 1; k >= 0; k--) {
    columnStrides[k] = size;
    rowStrides[k] = size * columnShape[k];
    size *= columnShape[k] * rowShape[k];
  }
  return { rows: expand(rowShape, rowStrides), columns: expand(columnShape, columnStrides) };
}

/** Where each index of a row-major `shape` lies when its digits have the given strides. */
function expand(shape: readonly number[], strides: readonly number[]): Float64Array {
  let result = new Float64Array(1);
  for (const [k, factor] of shape.entries()) {
    const finer = new Float64Array(result.length * factor);
    for (let i = 0; i < finer.length; i++) finer[i] = result[Math.floor(i / factor)] + (i % factor) * strides[k];
    result = finer;
  }
  return result;
}
