/** A tensor, as far as its elements go. */
export interface FloatTensor {
  /** The elements. */
  readonly data: Float32Array;
}

/** A runtime, as far as its scratch memory goes. */
export interface ScratchSource<T extends FloatTensor> {
  /** Allocates a tensor that dies with the open step. */
  scratch(shape: readonly number[]): T;
}

/** Takes a scratch tensor of a runtime and fills it with values. */
export function scratchFrom<T extends FloatTensor>(
  runtime: ScratchSource<T>,
  shape: readonly number[],
  values: ArrayLike<number>,
): T {
  const tensor = runtime.scratch(shape);
  tensor.data.set(values);
  return tensor;
}
