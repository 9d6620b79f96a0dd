import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { TtError } from "./errors.ts";
import type { CommittedFile, Directory, FileContent } from "./files.ts";

export { type SystemBlasOptions, systemBlas } from "./blas/system-blas.ts";

/** Suffix of files that are being written; a crash leaves them behind, and nothing reads them. */
const ASIDE = ".partial";

/** Bytes that are read at a time for a digest. */
const PIECE_BYTES = 1 << 20;

/** A folder on disk; it is made at the first commit. Names may not leave it. */
export function nodeDirectory(path: string): Directory {
  return {
    async list() {
      const entries = await readdir(path, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return [];
        throw fileError(error, path);
      });
      const files = entries.filter((entry) => !entry.isDirectory() && !entry.name.endsWith(ASIDE));
      return files.map(({ name }) => name).sort();
    },
    async read(name) {
      const file = join(path, plainName(name));
      const { size } = await withFile(file, (handle) => handle.stat());
      return { byteLength: size, slice: (start, end) => withFile(file, (handle) => readExactly(handle, file, start, end)) };
    },
    async commit(name, content) {
      const target = join(path, plainName(name));
      try {
        await mkdir(path, { recursive: true });
        const written = await writeAside(`${target}${ASIDE}`, content);
        await rename(`${target}${ASIDE}`, target);
        await withFile(path, (handle) => handle.sync());
        return { name, ...written };
      } catch (error) {
        await rm(`${target}${ASIDE}`, { force: true }).catch(() => undefined);
        throw fileError(error as NodeJS.ErrnoException, target);
      }
    },
    async digest(name) {
      const file = join(path, plainName(name));
      const hash = createHash("sha256");
      await withFile(file, async (handle) => {
        const { size } = await handle.stat();
        for (let start = 0; start < size; start += PIECE_BYTES) {
          hash.update(await readExactly(handle, file, start, Math.min(start + PIECE_BYTES, size)));
        }
      });
      return hash.digest("hex");
    },
    async remove(name) {
      const file = join(path, plainName(name));
      await rm(file, { force: true }).catch((error: NodeJS.ErrnoException) => {
        throw fileError(error, file);
      });
    },
  };
}

async function writeAside(path: string, content: FileContent): Promise<Omit<CommittedFile, "name">> {
  const hash = createHash("sha256");
  const handle = await open(path, "w");
  let byteLength = 0;
  try {
    const pieces = content instanceof Uint8Array ? [content] : content;
    for await (const piece of pieces) {
      hash.update(piece);
      await handle.writeFile(piece);
      byteLength += piece.length;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { byteLength, sha256: hash.digest("hex") };
}

async function withFile<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    throw fileError(error, path);
  });
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

async function readExactly(handle: FileHandle, path: string, start: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - start);
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await handle
      .read(bytes, filled, bytes.length - filled, start + filled)
      .catch((error: NodeJS.ErrnoException) => {
        throw fileError(error, path);
      });
    if (bytesRead === 0) {
      throw new TtError("E_CORRUPT", `${path} ends at byte ${start + filled}, ${end} bytes were expected`, {
        file: path,
        byte: start + filled,
      });
    }
    filled += bytesRead;
  }
  return bytes;
}

function plainName(name: string): string {
  if (name === "" || name === "." || name === ".." || basename(name) !== name || /[\\\0]/.test(name)) {
    throw new TtError("E_IO", `"${name}" is not a plain file name`, { file: name });
  }
  if (name.endsWith(ASIDE)) throw new TtError("E_IO", `"${name}" ends in ${ASIDE}, as unfinished files do`, { file: name });
  return name;
}

function fileError(error: NodeJS.ErrnoException, path: string): Error {
  if (error.code === "ENOENT")
    return new TtError("E_NOT_FOUND", `there is no file or folder ${path}`, { file: path }, { cause: error });
  // Errors without a system code are the caller's own, thrown while its content was produced.
  if (error.errno === undefined) return error;
  return new TtError("E_IO", `${path}: ${error.message}`, { file: path }, { cause: error });
}
