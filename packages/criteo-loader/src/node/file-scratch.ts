import { closeSync, constants, mkdirSync, openSync, readSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { TtError } from "@tt-rec/tensor";
import type { Scratch, ScratchFile } from "../stage/scratch.ts";

/** Scratch files in a folder, which is made for the first one. Throws `E_IO`, at a full disk for example. */
export function fileScratch(folder: string): Scratch {
  return {
    open(name) {
      attempt(folder, () => mkdirSync(folder, { recursive: true }));
      return openFile(join(folder, name));
    },
    byteLength: (name) => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0,
    remove: (name) => attempt(name, () => rmSync(join(folder, name), { force: true })),
  };
}

function openFile(path: string): ScratchFile {
  const file = attempt(path, () => openSync(path, constants.O_RDWR | constants.O_CREAT));
  return {
    write: (bytes, position) =>
      attempt(path, () => {
        for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, position + done);
      }),
    read: (into, position) =>
      attempt(path, () => {
        for (let done = 0; done < into.length; ) {
          const read = readSync(file, into, done, into.length - done, position + done);
          if (read === 0) throw new TtError("E_CORRUPT", `${path} ends at byte ${position + done}`, { file: path });
          done += read;
        }
      }),
    close: () => closeSync(file),
  };
}

/** Runs a call of the file system; its errors become `E_IO`. */
function attempt<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    // Errors without a system code are deliberate ones.
    if ((error as NodeJS.ErrnoException).errno === undefined) throw error;
    throw new TtError("E_IO", `${path}: ${(error as Error).message}`, { file: path }, { cause: error });
  }
}
