import { TtError } from "../errors.ts";
import type { HostTensor, NamedTensors } from "../named-tensors.ts";
import { sizeOfShape } from "../tensor.ts";
import { ELEMENT_BYTES, METADATA_KEY, PREFIX_BYTES } from "./format.ts";

/** Bytes that are written at a time, so that a table of gigabytes passes through without a second copy. */
const PIECE_BYTES = 1 << 22;

/**
 * Writes tensors as a safetensors file, piece by piece. Wider elements come first, so that every tensor is aligned to
 * its own element size. Throws `E_SHAPE` if the data do not fit the shape or the element type.
 */
export async function* writeSafetensors(
  tensors: NamedTensors,
  metadata: ReadonlyMap<string, string> = new Map(),
): AsyncGenerator<Uint8Array> {
  const ordered = [...tensors].sort(([, a], [, b]) => ELEMENT_BYTES[b.dtype] - ELEMENT_BYTES[a.dtype]);
  for (const [name, tensor] of ordered) check(name, tensor);
  yield encodeHeader(ordered, metadata);
  for (const [, { data }] of ordered) {
    for (let start = 0; start < data.byteLength; start += PIECE_BYTES) {
      yield new Uint8Array(data.buffer, data.byteOffset + start, Math.min(PIECE_BYTES, data.byteLength - start));
    }
  }
}

function check(name: string, { dtype, shape, data }: HostTensor): void {
  if (name === METADATA_KEY) throw new TtError("E_SHAPE", `a tensor cannot be called ${METADATA_KEY}`, { tensor: name });
  if (data.BYTES_PER_ELEMENT !== ELEMENT_BYTES[dtype]) {
    throw new TtError("E_SHAPE", `tensor "${name}" in ${dtype} has elements of ${data.BYTES_PER_ELEMENT} bytes`, {
      tensor: name,
    });
  }
  if (sizeOfShape(shape) !== data.length) {
    throw new TtError("E_SHAPE", `tensor "${name}" of shape [${shape}] has ${data.length} elements`, { tensor: name });
  }
}

function encodeHeader(ordered: readonly [string, HostTensor][], metadata: ReadonlyMap<string, string>): Uint8Array {
  // A null prototype: a tensor called __proto__ must become a key like any other.
  const header: Record<string, unknown> = Object.create(null);
  if (metadata.size > 0) header[METADATA_KEY] = Object.fromEntries(metadata);
  let offset = 0;
  for (const [name, { dtype, shape, data }] of ordered) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(PREFIX_BYTES + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, PREFIX_BYTES);
  return bytes;
}
