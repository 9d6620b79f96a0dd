import { NO_ROW } from "@tt-rec/tt-kernels";
import { inBlocks, SEARCH, type SpreadWork } from "./spread-work.ts";

/** The slots of a cache, which nothing may change while rows are chosen. */
export interface Slots {
  /** Row id of each slot, `NO_ROW` for a free one. */
  readonly ids: Uint32Array;
  /** The slots of some ids, `NO_ROW` for those that are not held. */
  slotsOf(ids: Uint32Array): Uint32Array;
}

/** Rows that are to enter a cache, and the slots that they are to take. */
export interface Entering {
  /** Row ids, the most important first. */
  readonly ids: Uint32Array;
  /** Their slots. */
  readonly slots: Uint32Array;
}

/** No row. */
export const NONE_ENTERING: Entering = { ids: new Uint32Array(0), slots: new Uint32Array(0) };

/**
 * Most rows that enter at the end of a step: they take about as long as a step of a small batch. A large cache's map does not stay in the
 * processor's second cache, and half of them take as long.
 */
const PORTION = 640;
const LARGE = 2 ** 15;

/** Where wanted rows are now. */
interface FoundRows {
  /** Those of them that come first, in the order of their slots. */
  readonly found: number;
  /** The slots of the others, `NO_ROW` for those that are not held. */
  readonly slotsOfOthers: Uint32Array;
  /** The slots without a row that was found, ascending. */
  readonly freeSlots: Uint32Array;
}

/** Finds rows in slots. Rows that stay mostly come first, in the order of their slots; only the others have to be searched for. */
export function* findRows(slots: Slots, rows: Uint32Array): SpreadWork<FoundRows> {
  const { ids } = slots;
  const freeSlots = new Uint32Array(ids.length);
  let found = 0;
  yield* inBlocks(ids.length, (begin, end) => {
    found = matchSlots(ids, begin, end, rows, freeSlots, found);
  });
  const others = rows.subarray(found);
  const slotsOfOthers = new Uint32Array(others.length);
  yield* inBlocks(others.length, (begin, end) => slotsOfOthers.set(slots.slotsOf(others.subarray(begin, end)), begin), SEARCH);
  return { found, slotsOfOthers, freeSlots: freeSlots.subarray(0, ids.length - found) };
}

/** Passes rows that are in their slots in the same order. Returns how many those are then; all other slots are free. */
function matchSlots(
  ids: Uint32Array,
  begin: number,
  end: number,
  rows: Uint32Array,
  freeSlots: Uint32Array,
  found: number,
): number {
  let next = found;
  for (let slot = begin; slot < end; slot++) {
    if (next < rows.length && ids[slot] === rows[next]) next++;
    else freeSlots[slot - next] = slot;
  }
  return next;
}

/**
 * Finds what has to enter so that a cache of `extent` slots comes to hold exactly the distinct ids `wanted`. Rows that it holds stay
 * in their slots, and the others take the free ones, in their order.
 */
export function* planEntering(
  wanted: Uint32Array,
  { found, slotsOfOthers, freeSlots }: FoundRows,
  extent: number,
): SpreadWork<Entering> {
  const others = wanted.subarray(found);
  const ids = new Uint32Array(others.length);
  let entering = 0;
  yield* inBlocks(others.length, (begin, end) => {
    entering = takeUnheld(others, slotsOfOthers, begin, end, ids, entering);
  });
  const staying = new Set(entering < others.length ? slotsOfOthers : []);
  const free = staying.size === 0 ? freeSlots : freeSlots.filter((slot) => !staying.has(slot));
  const slots = new Uint32Array(entering);
  slots.set(free.subarray(0, entering));
  yield* inBlocks(entering, (begin, end) => writeSuccessive(slots, Math.max(begin, free.length), end, extent - free.length));
  return { ids: ids.subarray(0, entering), slots };
}

/** All rows enter anew, in the order of the slots. */
export function* planAll(wanted: Uint32Array): SpreadWork<Entering> {
  const slots = new Uint32Array(wanted.length);
  yield* inBlocks(slots.length, (begin, end) => writeSuccessive(slots, begin, end, 0));
  return { ids: wanted, slots };
}

function takeUnheld(
  rows: Uint32Array,
  slotsOf: Uint32Array,
  begin: number,
  end: number,
  target: Uint32Array,
  taken: number,
): number {
  let next = taken;
  for (let i = begin; i < end; i++) if (slotsOf[i] === NO_ROW) target[next++] = rows[i];
  return next;
}

/** Writes `first + i` at each place i. */
function writeSuccessive(slots: Uint32Array, begin: number, end: number, first: number): void {
  for (let i = begin; i < end; i++) slots[i] = first + i;
}

/** Splits off what enters a cache of `capacity` rows at the end of a step of which a share is left for it. */
export function takePortion({ ids, slots }: Entering, capacity: number, spare = 1): [now: Entering, later: Entering] {
  const size = Math.ceil(spare * (capacity > LARGE ? PORTION / 2 : PORTION));
  return [
    { ids: ids.subarray(0, size), slots: slots.subarray(0, size) },
    { ids: ids.subarray(size), slots: slots.subarray(size) },
  ];
}

/** How many ids have a slot. */
export function countHeld(slotsOf: Uint32Array): number {
  let count = 0;
  for (const slot of slotsOf) count += Number(slot !== NO_ROW);
  return count;
}
