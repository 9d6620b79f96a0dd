import type { FloatTensor } from "./scratch-from.ts";

/** Gradients of some slices of a parameter. */
export interface StackedGradient {
  /** Name of the parameter. */
  readonly parameter: string;
  /** Numbers of the slices. */
  readonly slices: Uint32Array;
  /** Their gradients, one after the other. */
  readonly values: FloatTensor;
}

/** Gradients as an embedding bag gives them. */
export interface StackedGradients {
  /** One entry a parameter. */
  readonly parts: readonly StackedGradient[];
}

/** Spreads the gradients of a parameter's touched slices over all of its `size` elements; the others are 0. */
export function spreadSlices({ parts }: StackedGradients, parameter: string, size: number): Float32Array {
  const all = new Float32Array(size);
  const part = parts.find((candidate) => candidate.parameter === parameter);
  if (part === undefined) return all;
  const { slices, values } = part;
  const slice = values.data.length / Math.max(1, slices.length);
  for (const [i, index] of slices.entries()) all.set(values.data.subarray(i * slice, (i + 1) * slice), index * slice);
  return all;
}
