/** A scratch file; all calls are synchronous, since a worker thread has nothing else to do meanwhile. */
export interface ScratchFile {
  /** Writes bytes at a position; what lies between the old end and it is zero. */
  write(bytes: Uint8Array, position: number): void;
  /** Fills the array with the bytes from a position on. Throws `E_CORRUPT` if the file ends before. */
  read(into: Uint8Array, position: number): void;
  /** Gives the file up; it stays. */
  close(): void;
}

/** Room for intermediate columns: files on disk, or memory where there is none. */
export interface Scratch {
  /** Opens a file, which is made if it is not there. */
  open(name: string): ScratchFile;
  /** Length of a file in bytes; 0 if it is not there. */
  byteLength(name: string): number;
  /** Removes a file; one that is not there is no error. */
  remove(name: string): void;
}
