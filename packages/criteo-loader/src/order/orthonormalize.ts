/**
 * Makes the columns of a row-major [n, width] matrix orthonormal, in their order (modified Gram-Schmidt); a column that
 * depends on those before it becomes 0.
 */
export function orthonormalize(matrix: Float32Array, width: number): void {
  for (let column = 0; column < width; column++) {
    const before = dot(matrix, width, column, column);
    for (let other = 0; other < column; other++) {
      const share = dot(matrix, width, other, column);
      for (let at = 0; at < matrix.length; at += width) matrix[at + column] -= share * matrix[at + other];
    }
    const after = dot(matrix, width, column, column);
    // What rounding leaves of a dependent column is noise.
    const scale = after > 1e-10 * before ? 1 / Math.sqrt(after) : 0;
    for (let at = column; at < matrix.length; at += width) matrix[at] *= scale;
  }
}

function dot(matrix: Float32Array, width: number, a: number, b: number): number {
  let sum = 0;
  for (let at = 0; at < matrix.length; at += width) sum += matrix[at + a] * matrix[at + b];
  return sum;
}
