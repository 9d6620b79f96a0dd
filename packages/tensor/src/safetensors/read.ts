import { TtError } from "../errors.ts";
import type { ReadAt } from "../files.ts";
import type { HostTensor, NamedTensors } from "../named-tensors.ts";
import { ELEMENT_ARRAYS, MAX_HEADER_BYTES, PREFIX_BYTES } from "./format.ts";
import { parseHeader } from "./header.ts";

/** What a safetensors file holds. */
export interface Safetensors {
  /** The tensors by name, in the order of the file. */
  readonly tensors: NamedTensors;
  /** Free text entries. */
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads a safetensors file whole, checking every rule of the format (header bound, UTF-8, unique keys, shapes that
 * match their bytes, no hole, no overlap, no trailing byte) before a tensor is made. Throws `E_CORRUPT`.
 *
 * The platform must be little-endian, as all that run JavaScript today are.
 */
export async function readSafetensors(file: ReadAt): Promise<Safetensors> {
  if (file.byteLength < PREFIX_BYTES) {
    throw new TtError("E_CORRUPT", `a safetensors file has at least ${PREFIX_BYTES} bytes, this one has ${file.byteLength}`);
  }
  const prefix = await file.slice(0, PREFIX_BYTES);
  const headerBytes = Number(new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true));
  const bodyStart = PREFIX_BYTES + headerBytes;
  if (headerBytes > MAX_HEADER_BYTES || bodyStart > file.byteLength) {
    throw new TtError(
      "E_CORRUPT",
      `the safetensors header claims ${headerBytes} bytes; the file has ${file.byteLength} and ${MAX_HEADER_BYTES} are allowed`,
    );
  }
  const header = parseHeader(await file.slice(PREFIX_BYTES, bodyStart), file.byteLength - bodyStart);
  const tensors = new Map<string, HostTensor>();
  for (const { name, dtype, shape, start, end } of header.entries) {
    const bytes = await file.slice(bodyStart + start, bodyStart + end);
    // Bytes inside a larger buffer are copied: wider elements must be aligned, and those bytes need not be.
    const own = bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
    tensors.set(name, { dtype, shape, data: new ELEMENT_ARRAYS[dtype](own.buffer as ArrayBuffer) });
  }
  return { tensors, metadata: header.metadata };
}
