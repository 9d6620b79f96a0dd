import type { ElementArrays, ElementType } from "../named-tensors.ts";

/** Bytes of the little-endian header length that a file starts with. */
export const PREFIX_BYTES = 8;

/** The format's own bound on the header, against files that claim to be all header. */
export const MAX_HEADER_BYTES = 100_000_000;

/** Key of the free text entries of a header. */
export const METADATA_KEY = "__metadata__";

/** Constructors of the element types; files in other types are refused by name. */
export const ELEMENT_ARRAYS: { readonly [T in ElementType]: new (buffer: ArrayBuffer) => ElementArrays[T] } = {
  F32: Float32Array,
  F64: Float64Array,
  F16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  U32: Uint32Array,
};

/** Bytes an element of each type. */
export const ELEMENT_BYTES: { readonly [T in ElementType]: number } = { F32: 4, F64: 8, F16: 2, I8: 1, U8: 1, U32: 4 };
