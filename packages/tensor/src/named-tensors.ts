/** Element types that a state can hold, by their safetensors names. */
export interface ElementArrays {
  /** IEEE 754 single precision. */
  F32: Float32Array;
  /** IEEE 754 double precision. */
  F64: Float64Array;
  /** IEEE 754 half precision, as bits. */
  F16: Uint16Array;
  /** Signed bytes. */
  I8: Int8Array;
  /** Unsigned bytes. */
  U8: Uint8Array;
  /** Unsigned 32-bit integers. */
  U32: Uint32Array;
}

/** Name of an element type. */
export type ElementType = keyof ElementArrays;

/** A tensor in ordinary memory, as it is saved and loaded. */
export interface HostTensor<T extends ElementType = ElementType> {
  /** Element type. */
  readonly dtype: T;
  /** Extent of each axis; empty for a scalar. */
  readonly shape: readonly number[];
  /** The elements, row-major. */
  readonly data: ElementArrays[T];
}

/** The state of a module: its tensors by name. */
export type NamedTensors = ReadonlyMap<string, HostTensor>;
