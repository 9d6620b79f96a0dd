import { NO_ROW } from "@tt-rec/tt-kernels";

/** Rows that are to enter a cache, and the slots that they are to take. */
export interface Entering {
  /** Row ids, the most important first. */
  readonly ids: Uint32Array;
  /** Their slots. */
  readonly slots: Uint32Array;
}

/** No row. */
export const NONE_ENTERING: Entering = { ids: new Uint32Array(0), slots: new Uint32Array(0) };

/** Fewest rows that enter at the end of a step, if so many are to: they take about as long as a step of a small batch. */
const PORTION = 512;

/**
 * What has to enter so that a cache comes to hold exactly the distinct ids `wanted`, which have the slots `slotsOf` now, or `NO_ROW`.
 * With `keep`, rows that it holds stay in their slots and the others take the free ones, in their order; without, all enter, in the
 * order of the slots.
 */
export function planEntering(wanted: Uint32Array, slotsOf: Uint32Array, keep: boolean): Entering {
  if (!keep) return { ids: wanted, slots: wanted.map((_, slot) => slot) };
  const ids = wanted.filter((_, i) => slotsOf[i] === NO_ROW);
  const stays = new Uint8Array(wanted.length);
  for (const slot of slotsOf) if (slot < stays.length) stays[slot] = 1;
  const slots = new Uint32Array(ids.length);
  // A row that stays beyond the number of wanted ones leaves a slot more than is needed.
  for (let slot = 0, next = 0; next < slots.length; slot++) if (stays[slot] !== 1) slots[next++] = slot;
  return { ids, slots };
}

/** Splits off what enters at the end of one step: a function of the size of the cache and of its schedule, never of time. */
export function takePortion(
  { ids, slots }: Entering,
  capacity: number,
  refreshEvery: number | undefined,
): [now: Entering, later: Entering] {
  const count = Math.max(PORTION, Math.ceil(capacity / (refreshEvery ?? capacity)));
  return [
    { ids: ids.subarray(0, count), slots: slots.subarray(0, count) },
    { ids: ids.subarray(count), slots: slots.subarray(count) },
  ];
}

/** How many ids have a slot. */
export function countHeld(slotsOf: Uint32Array): number {
  let count = 0;
  for (const slot of slotsOf) count += Number(slot !== NO_ROW);
  return count;
}
