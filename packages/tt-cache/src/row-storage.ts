import { mixBits, TtError } from "@tt-rec/tensor";
import type { RowStorage } from "@tt-rec/tt-math";

/** Throws `E_OPTION` unless the storage is known. */
export function checkRowStorage(storage: RowStorage): void {
  if (storage === "float32" || storage === "int8") return;
  throw new TtError("E_OPTION", `rowStorage = "${storage}" is not known; known are float32, int8`);
}

/** Throws `E_OPTION` unless a seed of roundings is one that a state can keep. */
export function checkRoundingSeed(seed: number): void {
  if (Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32) return;
  throw new TtError("E_OPTION", `roundingSeed = ${seed} is not a whole number from 0 to ${2 ** 32 - 1}`);
}

/** Bytes of a row, without its optimizer state. */
export function rowBytes(embeddingDim: number, storage: RowStorage): number {
  return storage === "int8" ? embeddingDim + 4 : 4 * embeddingDim;
}

/** Keeps a seed of 0 and a first step of 0 from drawing 0. */
const START = 0x9e3779b9;

/**
 * What the roundings of the rows in some slots are drawn from: seed, the number of the occasion, and the id of the row. So neither
 * threads, nor the order of tables, nor a resumed run change a bit.
 */
export function roundingKeys(seed: number, occasion: number, slots: Uint32Array, ids: Uint32Array): Uint32Array {
  const key = mixBits(mixBits(seed + START) + occasion);
  const keys = new Uint32Array(slots.length);
  // A loop, because mapping an array takes far longer.
  for (let i = 0; i < slots.length; i++) keys[i] = mixBits(key ^ mixBits(ids[slots[i]] + START));
  return keys;
}
