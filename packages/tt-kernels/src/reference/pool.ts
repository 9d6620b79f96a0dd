import { type Lookup, outputsOf } from "../lookup/lookup.ts";
import type { RowGroups } from "../lookup/row-groups.ts";

/** Adds to `out` [outputs, D] the terms of a lookup; the row of position p is row `rowOf[p]` of `values` [·, D]. */
export function poolForward(lookup: Lookup, rowOf: Uint32Array, values: Float32Array, dim: number, out: Float32Array): void {
  const { coefficients } = lookup;
  const outputOf = outputsOf(lookup);
  for (let p = 0; p < rowOf.length; p++) {
    const coefficient = coefficients === undefined ? 1 : coefficients[p];
    const source = rowOf[p] * dim;
    const target = outputOf[p] * dim;
    for (let j = 0; j < dim; j++) out[target + j] += coefficient * values[source + j];
  }
}

/** Sums the gradient of the output [outputs, D] into one gradient per distinct row, `rowGradients` [U, D]. */
export function poolBackward(
  lookup: Lookup,
  { order, starts }: RowGroups,
  gradient: Float32Array,
  dim: number,
  rowGradients: Float32Array,
): void {
  const { coefficients } = lookup;
  const outputOf = outputsOf(lookup);
  for (let group = 0; group + 1 < starts.length; group++) {
    const target = group * dim;
    for (let i = starts[group]; i < starts[group + 1]; i++) {
      const p = order[i];
      const coefficient = coefficients === undefined ? 1 : coefficients[p];
      const source = outputOf[p] * dim;
      for (let j = 0; j < dim; j++) rowGradients[target + j] += coefficient * gradient[source + j];
    }
  }
}

/** Writes the gradient of each position's weight: its factor times ⟨row, gradient of its output⟩. */
export function weightsBackward(
  lookup: Lookup,
  weightFactors: Float32Array,
  rowOf: Uint32Array,
  values: Float32Array,
  gradient: Float32Array,
  dim: number,
  out: Float32Array,
): void {
  const outputOf = outputsOf(lookup);
  for (let p = 0; p < rowOf.length; p++) {
    const row = rowOf[p] * dim;
    const source = outputOf[p] * dim;
    let sum = 0;
    for (let j = 0; j < dim; j++) sum += values[row + j] * gradient[source + j];
    out[p] = weightFactors[p] * sum;
  }
}
