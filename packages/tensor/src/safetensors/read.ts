import { TtError } from "../errors.ts";
import type { ReadAt } from "../files.ts";
import type { ElementType, HostTensor, NamedTensors } from "../named-tensors.ts";
import { ELEMENT_ARRAYS, MAX_HEADER_BYTES, PREFIX_BYTES } from "./format.ts";
import { parseHeader } from "./header.ts";

/** What a safetensors file holds. */
export interface Safetensors {
  /** The tensors by name, in the order of the file. */
  readonly tensors: NamedTensors;
  /** Free text entries. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Where a tensor lies in a safetensors file. */
export interface SafetensorsEntry {
  /** Name of the tensor. */
  readonly name: string;
  /** Element type. */
  readonly dtype: ElementType;
  /** Extent of each axis. */
  readonly shape: readonly number[];
  /** Place of the first byte in the file. */
  readonly byteOffset: number;
  /** Number of bytes. */
  readonly byteLength: number;
}

/** What the header of a safetensors file says. */
export interface SafetensorsHeader {
  /** The tensors, in the order of their bytes. */
  readonly entries: readonly SafetensorsEntry[];
  /** Free text entries. */
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads the header of a safetensors file, checking every rule of the format (header bound, UTF-8, unique keys, shapes that
 * match their bytes, no hole, no overlap, no trailing byte). Throws `E_CORRUPT`.
 */
export async function readSafetensorsHeader(file: ReadAt): Promise<SafetensorsHeader> {
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
  const entries = header.entries.map(({ name, dtype, shape, start, end }) => {
    return { name, dtype, shape, byteOffset: bodyStart + start, byteLength: end - start };
  });
  return { entries, metadata: header.metadata };
}

/** Reads one tensor of a safetensors file. The platform must be little-endian, as all that run JavaScript today are. */
export async function readSafetensorsEntry(
  file: ReadAt,
  { dtype, shape, byteOffset, byteLength }: SafetensorsEntry,
): Promise<HostTensor> {
  const bytes = await file.slice(byteOffset, byteOffset + byteLength);
  // Bytes inside a larger buffer are copied: wider elements must be aligned, and those bytes need not be.
  const own = bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
  return { dtype, shape, data: new ELEMENT_ARRAYS[dtype](own.buffer as ArrayBuffer) };
}

/** Reads a safetensors file whole, after its header has passed every check of `readSafetensorsHeader`. Throws `E_CORRUPT`. */
export async function readSafetensors(file: ReadAt): Promise<Safetensors> {
  const { entries, metadata } = await readSafetensorsHeader(file);
  const tensors = new Map<string, HostTensor>();
  for (const entry of entries) tensors.set(entry.name, await readSafetensorsEntry(file, entry));
  return { tensors, metadata };
}
