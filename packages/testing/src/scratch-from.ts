/** Takes a scratch tensor of a runtime and fills it with values. */
export function scratchFrom<T extends { readonly data: Float32Array }>(
  runtime: { scratch(shape: readonly number[]): T },
  shape: readonly number[],
  values: ArrayLike<number>,
): T {
  const tensor = runtime.scratch(shape);
  tensor.data.set(values);
  return tensor;
}
