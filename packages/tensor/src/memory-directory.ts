import { TtError } from "./errors.ts";
import { type Directory, type FileContent, type ReadAt, sha256 } from "./files.ts";

/** Makes bytes in memory readable as a file. */
export function readBytes(bytes: Uint8Array): ReadAt {
  return {
    byteLength: bytes.length,
    async slice(start, end) {
      if (end > bytes.length) {
        throw new TtError("E_CORRUPT", `bytes up to ${end} were asked of a file of ${bytes.length} bytes`, {
          byte: bytes.length,
        });
      }
      return bytes.slice(start, end);
    },
  };
}

/** A directory that lives in memory, for browsers and tests. */
export function memoryDirectory(): Directory {
  const files = new Map<string, Uint8Array>();
  const bytesOf = (name: string): Uint8Array => {
    const bytes = files.get(name);
    if (bytes === undefined) throw new TtError("E_NOT_FOUND", `there is no file ${name}`, { file: name });
    return bytes;
  };
  return {
    async list() {
      return [...files.keys()].sort();
    },
    async read(name) {
      return readBytes(bytesOf(name));
    },
    async digest(name) {
      return sha256(bytesOf(name));
    },
    async commit(name, content) {
      const bytes = await collect(content);
      files.set(name, bytes);
      return { name, byteLength: bytes.length, sha256: await sha256(bytes) };
    },
    async remove(name) {
      files.delete(name);
    },
  };
}

async function collect(content: FileContent): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return content.slice();
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(piece.slice());
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}
