import { NO_ROW } from "@tt-rec/tt-kernels";
import { inBlocks, type SpreadWork } from "./spread-work.ts";

/** Rows that are to enter a cache, and the slots that they are to take. */
export interface Entering {
  /** Row ids, the most important first. */
  readonly ids: Uint32Array;
  /** Their slots. */
  readonly slots: Uint32Array;
}

/** No row. */
export const NONE_ENTERING: Entering = { ids: new Uint32Array(0), slots: new Uint32Array(0) };

/** Most rows that enter at the end of a step: they take about as long as a step of a small batch. */
const PORTION = 512;

/**
 * Finds what has to enter so that a cache comes to hold exactly the distinct ids `wanted`, which have the slots `slotsOf` now, or
 * `NO_ROW`. With `keep`, rows that it holds stay in their slots and the others take the free ones, in their order; without, all
 * enter, in the order of the slots.
 */
export function* planEntering(wanted: Uint32Array, slotsOf: Uint32Array, keep: boolean): SpreadWork<Entering> {
  const ids = new Uint32Array(wanted.length);
  const slots = new Uint32Array(wanted.length);
  const stays = new Uint8Array(wanted.length);
  let entering = 0;
  yield* inBlocks(wanted.length, 1, (begin, end) => {
    for (let i = begin; i < end; i++) {
      if (keep && slotsOf[i] < stays.length) stays[slotsOf[i]] = 1;
      if (!keep || slotsOf[i] === NO_ROW) ids[entering++] = wanted[i];
    }
  });
  // A row that stays beyond the number of wanted ones leaves a slot more than is needed.
  let taken = 0;
  yield* inBlocks(wanted.length, 1, (begin, end) => {
    for (let slot = begin; slot < end; slot++) if (stays[slot] === 0 && taken < entering) slots[taken++] = slot;
  });
  return { ids: ids.subarray(0, entering), slots: slots.subarray(0, entering) };
}

/** Splits off what enters at the end of one step. */
export function takePortion({ ids, slots }: Entering): [now: Entering, later: Entering] {
  return [
    { ids: ids.subarray(0, PORTION), slots: slots.subarray(0, PORTION) },
    { ids: ids.subarray(PORTION), slots: slots.subarray(PORTION) },
  ];
}

/** How many ids have a slot. */
export function countHeld(slotsOf: Uint32Array): number {
  let count = 0;
  for (const slot of slotsOf) count += Number(slot !== NO_ROW);
  return count;
}
