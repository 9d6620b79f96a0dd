import type { Lookup } from "@tt-rec/tt-kernels";

/** Pools rows [positions, D] that were looked up one by one into `out` [outputs, D], which is zero. */
export function poolRows({ offsets, coefficients, outputs }: Lookup, rows: Float32Array, dim: number, out: Float32Array): void {
  for (let output = 0; output < outputs; output++) {
    const [start, end] = offsets === undefined ? [output, output + 1] : [offsets[output], offsets[output + 1]];
    for (let p = start; p < end; p++) {
      const coefficient = coefficients === undefined ? 1 : coefficients[p];
      for (let j = 0; j < dim; j++) out[output * dim + j] += coefficient * rows[p * dim + j];
    }
  }
}

/** Gradients [positions, D] of those rows from the gradient [outputs, D] of what they were pooled into. */
export function unpoolRows(
  { offsets, coefficients, outputs }: Lookup,
  gradient: Float32Array,
  dim: number,
  rowGradients: Float32Array,
): void {
  for (let output = 0; output < outputs; output++) {
    const [start, end] = offsets === undefined ? [output, output + 1] : [offsets[output], offsets[output + 1]];
    for (let p = start; p < end; p++) {
      const coefficient = coefficients === undefined ? 1 : coefficients[p];
      for (let j = 0; j < dim; j++) rowGradients[p * dim + j] = coefficient * gradient[output * dim + j];
    }
  }
}

/** Gradients [positions] of the weights: each factor times ⟨row, gradient of its output⟩. */
export function weightGradients(
  { offsets, outputs }: Lookup,
  factors: Float32Array,
  rows: Float32Array,
  gradient: Float32Array,
  dim: number,
  out: Float32Array,
): void {
  for (let output = 0; output < outputs; output++) {
    const [start, end] = offsets === undefined ? [output, output + 1] : [offsets[output], offsets[output + 1]];
    for (let p = start; p < end; p++) {
      let sum = 0;
      for (let j = 0; j < dim; j++) sum += rows[p * dim + j] * gradient[output * dim + j];
      out[p] = factors[p] * sum;
    }
  }
}
