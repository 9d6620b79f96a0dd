import { TtError } from "@tt-rec/tensor";
import type { Scratch, ScratchFile } from "./scratch.ts";

/** Scratch in memory, for browsers and small logs. */
export function memoryScratch(): Scratch {
  const files = new Map<string, MemoryFile>();
  return {
    open(name) {
      const file = files.get(name) ?? new MemoryFile(name);
      files.set(name, file);
      return file;
    },
    byteLength: (name) => files.get(name)?.byteLength ?? 0,
    remove: (name) => void files.delete(name),
  };
}

class MemoryFile implements ScratchFile {
  readonly #name: string;
  #bytes: Uint8Array = new Uint8Array(0);
  byteLength = 0;

  constructor(name: string) {
    this.#name = name;
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, position);
    this.byteLength = Math.max(this.byteLength, end);
  }

  read(into: Uint8Array, position: number): void {
    const end = position + into.length;
    if (end > this.byteLength) {
      throw new TtError("E_CORRUPT", `bytes up to ${end} were asked of scratch ${this.#name} of ${this.byteLength} bytes`);
    }
    into.set(this.#bytes.subarray(position, end));
  }

  close(): void {}
}
