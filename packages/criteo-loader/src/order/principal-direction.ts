const ITERATIONS = 50;

/**
 * The unit direction in which some rows of a row-major [n, width] matrix vary most, from their covariance by power
 * iteration. All zeros if they do not vary.
 */
export function principalDirection(matrix: Float32Array, width: number, rows: Uint32Array): Float64Array {
  const covariance = covarianceOf(matrix, width, rows);
  let start = 0;
  for (let j = 1; j < width; j++) if (covariance[j * width + j] > covariance[start * width + start]) start = j;
  // The column of the most varying coordinate is no stranger to the direction that is sought.
  let direction: Float64Array = covariance.slice(start * width, (start + 1) * width);
  for (let step = 0; step <= ITERATIONS; step++) {
    const length = Math.hypot(...direction);
    if (!(length > 0)) return new Float64Array(width);
    direction = direction.map((value) => value / length);
    if (step < ITERATIONS) direction = times(covariance, direction);
  }
  return direction;
}

function covarianceOf(matrix: Float32Array, width: number, rows: Uint32Array): Float64Array {
  const mean = new Float64Array(width);
  for (const row of rows) for (let j = 0; j < width; j++) mean[j] += matrix[row * width + j];
  for (let j = 0; j < width; j++) mean[j] /= rows.length;
  const covariance = new Float64Array(width * width);
  const centred = new Float64Array(width);
  for (const row of rows) {
    for (let j = 0; j < width; j++) centred[j] = matrix[row * width + j] - mean[j];
    for (let j = 0; j < width; j++) for (let l = 0; l <= j; l++) covariance[j * width + l] += centred[j] * centred[l];
  }
  for (let j = 0; j < width; j++) for (let l = j + 1; l < width; l++) covariance[j * width + l] = covariance[l * width + j];
  return covariance;
}

function times(square: Float64Array, vector: Float64Array): Float64Array {
  const width = vector.length;
  return vector.map((_, row) => {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += square[row * width + j] * vector[j];
    return sum;
  });
}
