import xxhash from "xxhash-wasm";

/** Hashes texts to 64 bits. */
export interface TextHash {
  /** Low word of the last hash. */
  low: number;
  /** High word of the last hash. */
  high: number;
  /** Hashes the bytes [from, to). */
  update(bytes: Uint8Array, from: number, to: number): void;
}

/** Starts xxHash64 with seed 0; the hash 0, which stands for a missing id, becomes 1. */
export async function createTextHash(): Promise<TextHash> {
  const { h64Raw } = await xxhash();
  const hash: TextHash = {
    low: 0,
    high: 0,
    update(bytes, from, to) {
      const value = h64Raw(bytes.subarray(from, to)) || 1n;
      hash.low = Number(value & 0xffffffffn);
      hash.high = Number(value >> 32n);
    },
  };
  return hash;
}
