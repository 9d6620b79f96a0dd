/** Gradients of some slices of some parameters, as an embedding bag gives them. */
export interface StackedGradients {
  /** One entry a parameter: its name, the slices, and their gradients one after the other. */
  readonly parts: readonly {
    readonly parameter: string;
    readonly slices: Uint32Array;
    readonly values: { readonly data: Float32Array };
  }[];
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
