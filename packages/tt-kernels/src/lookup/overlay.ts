import { type Lookup, NO_ROW } from "./lookup.ts";

/** A lookup whose positions are shared out between a table and other rows that are laid over it. */
export interface OverlaidLookup {
  /** The terms, with the row ids of all positions. */
  readonly lookup: Lookup;
  /** Row id of each position that the table answers, `NO_ROW` elsewhere. */
  readonly rows: Uint32Array;
  /** Slot of each position that the rows laid over the table answer, `NO_ROW` elsewhere. */
  readonly slots: Uint32Array;
  /** Number of positions that have a slot. */
  readonly hits: number;
}

/** The positions that have a slot, and those that have none. */
export function splitPositions({ slots, hits }: OverlaidLookup): { readonly laid: Uint32Array; readonly below: Uint32Array } {
  const laid = new Uint32Array(hits);
  const below = new Uint32Array(slots.length - hits);
  let [l, b] = [0, 0];
  for (let p = 0; p < slots.length; p++) {
    if (slots[p] === NO_ROW) below[b++] = p;
    else laid[l++] = p;
  }
  return { laid, below };
}
