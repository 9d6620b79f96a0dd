import { IdIndex } from "@tt-rec/tensor";
import { inBlocks, SEARCH, type SpreadWork } from "./spread-work.ts";

/** Tells of each of some ids whether it is among others, which are distinct: 1 or 0. */
export function* areAmong(ids: Uint32Array, others: Uint32Array): SpreadWork<Uint8Array> {
  if (others.length === 0) return new Uint8Array(ids.length);
  const index = new IdIndex(others.length);
  const add = (begin: number, end: number): void => {
    for (let i = begin; i < end; i++) index.add(others[i]);
  };
  yield* inBlocks(others.length, add, SEARCH);
  const found = new Uint8Array(ids.length);
  const find = (begin: number, end: number): void => {
    for (let i = begin; i < end; i++) found[i] = index.numberOf(ids[i]) < 0 ? 0 : 1;
  };
  yield* inBlocks(ids.length, find, SEARCH);
  return found;
}
