import type { Lookup } from "./lookup.ts";

/** Stands for the slot of a position that has none. */
export const NO_ROW = 0xffffffff;

/** A lookup whose positions are shared out between a table and other rows that are laid over it. */
export interface OverlaidLookup {
  /** The terms, with the row ids of all positions. */
  readonly lookup: Lookup;
  /** Slot of each position that the rows laid over the table answer, `NO_ROW` elsewhere. */
  readonly slots: Uint32Array;
  /** The positions that have a slot, rising. */
  readonly laid: Uint32Array;
  /** The positions that have none, rising. */
  readonly below: Uint32Array;
}
