import { TtError } from "@tt-rec/tensor";

/** The compression zstd, ready to use. */
export interface Zstd {
  /** Compresses bytes into one frame, the same on every machine. Bytes that are too many for its memory are given back as they are. */
  compress(bytes: Uint8Array): Uint8Array;
  /** The bytes of a frame. Throws an Error if it is none. */
  decompress(frame: Uint8Array): Uint8Array;
}

/** Bytes before a buffer of a compressed record batch: the number of its bytes before it was compressed. */
export const LENGTH_PREFIX = 8;
/** Stands there for a buffer that is stored as it is. */
export const STORED = -1n;

/** zstd's own default. Data sets are compared byte by byte, so it is fixed here and not left to the library. */
const LEVEL = 3;
/** Most bytes that are compressed at once: the codec holds them twice, and its memory ends at 2 GiB. */
const LIMIT = 2 ** 28;
/** Longest time to load it, in milliseconds: in a browser, it never answers when its file cannot be fetched. */
const TIME_LIMIT = 60_000;

let loading: Promise<Zstd> | undefined;

/**
 * Loads zstd when it is needed for the first time on this thread. Throws `E_IO` if that fails; it cannot be tried again, since
 * the library keeps what it began.
 */
export function loadZstd(): Promise<Zstd> {
  loading ??= load().catch((cause: unknown) => {
    throw new TtError("E_IO", `zstd cannot be loaded: ${(cause as Error).message}`, {}, { cause });
  });
  return loading;
}

async function load(): Promise<Zstd> {
  const { init, compress, decompress } = await import("@bokuweb/zstd-wasm");
  await new Promise<void>((resolve, reject) => {
    const late = new Error(`it was not ready within ${TIME_LIMIT / 1000} s`);
    const timer = setTimeout(() => reject(late), TIME_LIMIT);
    init()
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
  return {
    compress: (bytes) => (bytes.length > LIMIT ? bytes : compress(bytes, LEVEL)),
    decompress: (frame) => decompress(frame),
  };
}
