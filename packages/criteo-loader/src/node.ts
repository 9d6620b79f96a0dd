import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip, type Gunzip } from "node:zlib";
import { TtError } from "@tt-rec/tensor";
import type { LogSource } from "./log/log-source.ts";

const CHUNK_BYTES = 1 << 18;
const GZIP_MAGIC = [0x1f, 0x8b];

/**
 * Makes a file a source of log lines. One that starts with gzip's magic bytes is decompressed, whatever its name;
 * it may have several members. Reading throws `E_NOT_FOUND`, `E_IO`, or `E_CORRUPT` when a compressed file is cut short, fails
 * its checksum or goes on after its last member.
 */
export function logFile(path: string): LogSource {
  return {
    name: path,
    async *chunks() {
      try {
        const { gzip, byteLength } = await sniff(path);
        if (gzip) yield* decompressed(path, byteLength);
        else yield* createReadStream(path, { highWaterMark: CHUNK_BYTES });
      } catch (error) {
        throw fileError(error as NodeJS.ErrnoException, path);
      }
    },
  };
}

async function sniff(path: string): Promise<{ gzip: boolean; byteLength: number }> {
  const handle: FileHandle = await open(path, "r");
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(GZIP_MAGIC.length), 0, GZIP_MAGIC.length, 0);
    const gzip = bytesRead === GZIP_MAGIC.length && GZIP_MAGIC.every((byte, index) => buffer[index] === byte);
    return { gzip, byteLength: (await handle.stat()).size };
  } finally {
    await handle.close();
  }
}

async function* decompressed(path: string, byteLength: number): AsyncGenerator<Uint8Array> {
  const gunzip: Gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  // Errors of either stream reach the loop below; leaving the loop early ends both.
  pipeline(createReadStream(path, { highWaterMark: CHUNK_BYTES }), gunzip, () => undefined);
  yield* gunzip;
  // At a zero byte after a member zlib stops, and says nothing of what may follow.
  const byte = gunzip.bytesWritten;
  if (byte !== byteLength) {
    throw new TtError("E_CORRUPT", `${path} has compressed data up to byte ${byte} of ${byteLength}`, { file: path, byte });
  }
}

function fileError(error: NodeJS.ErrnoException, path: string): Error {
  if (error.code === "ENOENT") return new TtError("E_NOT_FOUND", `there is no file ${path}`, { file: path }, { cause: error });
  if (error.code?.startsWith("Z_")) {
    return new TtError("E_CORRUPT", `${path} is not intact gzip: ${error.message}`, { file: path }, { cause: error });
  }
  // Errors without a system code are deliberate ones.
  if (error.errno === undefined) return error;
  return new TtError("E_IO", `${path}: ${error.message}`, { file: path }, { cause: error });
}
