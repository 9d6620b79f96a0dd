import { closeSync, createReadStream, openSync, readSync } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip, type Gunzip } from "node:zlib";
import { TtError } from "@tt-rec/tensor";
import { LINE_FEED } from "../log/parse-row.ts";
import type { LogSource, SourceRecipe } from "../log/row-source.ts";

const CHUNK_BYTES = 1 << 18;
/** Bytes that are read at a time of a part; reading waits, since a worker thread has nothing else to do. */
const PIECE_BYTES = 1 << 20;
const GZIP_MAGIC = [0x1f, 0x8b];
/** Bytes of a part of a plain file that is read by several threads. */
const PART_BYTES = 1 << 25;

/**
 * Makes a file a source of log lines. One that starts with gzip's magic bytes is decompressed, whatever its name;
 * it may have several members. Reading throws `E_NOT_FOUND`, `E_IO`, or `E_CORRUPT` when a compressed file is cut short, fails
 * its checksum or goes on after its last member. A `range` of bytes takes the lines that begin there, of a plain file.
 */
export function logFile(path: string, range?: readonly [start: number, end: number]): LogSource {
  return {
    name: path,
    identity: () =>
      guarded(path, async () => {
        const { size, mtimeMs } = await stat(path);
        return `${size} bytes of ${mtimeMs}`;
      }),
    // Reading a part waits for the disk, so the calling thread reads whole files only.
    parts: () =>
      guarded(path, async () => {
        const { gzip, byteLength } = await sniff(path);
        return gzip ? [{ kind: "log", path }] : plainParts(path, byteLength);
      }),
    async *chunks() {
      try {
        if (range !== undefined) return yield* linesOf(path, ...range);
        const { gzip, byteLength } = await sniff(path);
        if (gzip) yield* decompressed(path, byteLength);
        else yield* createReadStream(path, { highWaterMark: CHUNK_BYTES });
      } catch (error) {
        throw fileError(error as NodeJS.ErrnoException, path);
      }
    },
  };
}

async function guarded<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw fileError(error as NodeJS.ErrnoException, path);
  }
}

/** Whether a file starts as gzip does. Throws the errors of `logFile`. */
export async function isGzip(path: string): Promise<boolean> {
  return (await guarded(path, () => sniff(path))).gzip;
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

function plainParts(path: string, byteLength: number): SourceRecipe[] {
  const parts: SourceRecipe[] = [];
  for (let start = 0; start === 0 || start < byteLength; start += PART_BYTES) {
    parts.push({ kind: "log", path, range: [start, Math.min(start + PART_BYTES, byteLength)] });
  }
  return parts;
}

/** The lines that begin at the bytes [start, end) of a plain file. Chunks share memory: one holds until the next is asked for. */
function* linesOf(path: string, start: number, end: number): Generator<Uint8Array> {
  if (start >= end) return;
  const file = openSync(path, "r");
  try {
    // The byte before tells whether a line begins at `start`.
    let position = Math.max(0, start - 1);
    let begun = start === 0;
    const buffer = new Uint8Array(PIECE_BYTES);
    for (;;) {
      const chunk = buffer.subarray(0, readSync(file, buffer, 0, buffer.length, position));
      if (chunk.length === 0) return;
      const from = begun ? 0 : chunk.indexOf(LINE_FEED) + 1;
      // No line begins in the range.
      if (!begun && position + (from > 0 ? from : chunk.length) >= end) return;
      begun ||= from > 0;
      if (begun) {
        // The line that begins before `end` ends with the first line feed from the byte before `end` on.
        const last = Math.max(from, end - 1 - position);
        const stop = last < chunk.length ? chunk.indexOf(LINE_FEED, last) : -1;
        yield chunk.subarray(from, stop < 0 ? chunk.length : stop + 1);
        if (stop >= 0) return;
      }
      position += chunk.length;
    }
  } finally {
    closeSync(file);
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
