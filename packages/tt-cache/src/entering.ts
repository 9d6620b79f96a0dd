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
 * What has to enter so that a cache, which holds `held` by slot, comes to hold exactly the distinct ids `wanted`. With `keep`, rows
 * that it holds stay in their slots and the others take the free ones, in their order; without, all enter, in the order of the slots.
 */
export function planEntering(held: Uint32Array, wanted: Uint32Array, keep: boolean): Entering {
  if (!keep) return { ids: wanted, slots: wanted.map((_, slot) => slot) };
  const [isHeld, isWanted] = [new Set(held), new Set(wanted)];
  const ids = wanted.filter((id) => !isHeld.has(id));
  const slots = new Uint32Array(ids.length);
  for (let slot = 0, next = 0; next < slots.length; slot++) {
    if (!(slot < held.length && isWanted.has(held[slot]))) slots[next++] = slot;
  }
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

/** How many of some rows held, `NO_ROW` being none, are not among others. */
export function countDropped(held: Uint32Array, wanted: Uint32Array): number {
  const isWanted = new Set(wanted);
  return held.reduce((count, id) => count + Number(id !== NO_ROW && !isWanted.has(id)), 0);
}
