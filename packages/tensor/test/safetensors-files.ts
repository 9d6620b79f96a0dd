/** Builds a safetensors file by hand: the length, the header as it is, and a body that counts 1, 2, 3, …. */
export function buildFile(header: string | Uint8Array, bodyBytes: number): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + bodyBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  for (let i = 0; i < bodyBytes; i++) bytes[8 + text.length + i] = i + 1;
  return bytes;
}

/** The description of a tensor in a header. */
export function entry(dtype: string, shape: readonly number[], start: number, end: number): string {
  return JSON.stringify({ dtype, shape, data_offsets: [start, end] });
}

/** Joins the pieces of a file. */
export async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return new Uint8Array(Buffer.concat(parts));
}
