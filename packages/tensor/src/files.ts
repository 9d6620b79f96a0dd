/** A file that can be read at any place: a file on disk, a blob in a browser, a range of a URL. */
export interface ReadAt {
  /** Length of the file in bytes. */
  readonly byteLength: number;
  /** Reads the bytes [start, end); the array is the caller's to keep. Throws `E_CORRUPT` if the file ends before `end`. */
  slice(start: number, end: number): Promise<Uint8Array>;
}

/** Bytes to be written: at once, or piece by piece. */
export type FileContent = Uint8Array | AsyncIterable<Uint8Array>;

/** What is known of a file once it is safely stored. */
export interface CommittedFile {
  /** Name in the directory. */
  readonly name: string;
  /** Length in bytes. */
  readonly byteLength: number;
  /** SHA-256 of the bytes, in lower-case hex. */
  readonly sha256: string;
}

/** A flat set of named files, reached through one seam so that the packages run in Node and in browsers. */
export interface Directory {
  /** Names of the committed files, sorted. */
  list(): Promise<string[]>;
  /** Opens a file. Throws `E_NOT_FOUND` if there is none of that name. */
  read(name: string): Promise<ReadAt>;
  /** Stores a file whole or not at all: after a crash either the old bytes are there, or the new. */
  commit(name: string, content: FileContent): Promise<CommittedFile>;
  /** SHA-256 of a committed file, in lower-case hex; the file is read in pieces. Throws `E_NOT_FOUND`. */
  digest(name: string): Promise<string>;
  /** Removes a file; one that is not there is no error. */
  remove(name: string): Promise<void>;
}

/** SHA-256 of some bytes, in lower-case hex. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await globalThis.crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
