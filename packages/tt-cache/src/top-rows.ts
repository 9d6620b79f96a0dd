import { type RankedRows, rankRows } from "./rank-rows.ts";
import { inBlocks, MOVE, type SpreadWork } from "./spread-work.ts";

/** Values told apart by a histogram; it stays in the first cache. */
const BINS = 2 ** 12;
const LAST_BIN = BINS - 1;

/** The largest count. */
const MOST = 0xffffffff;

/**
 * The `k` most counted of distinct ids that are counted more than `above`, the most counted first, equal ones by the smaller id, so
 * that the answer is unique. Linear in the ids.
 */
export function* mostCounted(ids: Uint32Array, counts: Uint32Array, k: number, above = 0): SpreadWork<RankedRows> {
  if (k === 0) return { ids: ids.subarray(0, 0), counts: counts.subarray(0, 0) };
  const bins = yield* countValues(counts, above);
  // Nothing below the bin of the k-th largest is among them; the bin itself may hold more than are needed.
  let least = BINS;
  let candidates = 0;
  while (least > 0 && candidates < k) candidates += bins[--least];
  const found = newRows(candidates);
  const ties = least < LAST_BIN ? bins[least] : 0;
  const sure = candidates - ties;
  const tied = { ids: found.ids.subarray(sure), counts: found.counts.subarray(sure) };
  let [taken, takenTies] = [0, 0];
  const take = (begin: number, end: number): void => {
    if (ties > 0) takenTies = takeBetween(ids, counts, begin, end, least, least, tied, takenTies);
    taken = takeBetween(ids, counts, begin, end, Math.max(least + Number(ties > 0), above + 1), MOST, found, taken);
  };
  yield* inBlocks(counts.length, take, MOVE);
  const chosen = yield* smallest(tied.ids, k - sure);
  found.ids.set(chosen, sure);
  const size = sure + chosen.length;
  const ranked = yield* rankRows(found.ids.subarray(0, size), found.counts.subarray(0, size));
  return { ids: ranked.ids.subarray(0, k), counts: ranked.counts.subarray(0, k) };
}

/** The `k` least counted of distinct ids, the least counted first, equal ones by the larger id, so that the answer does not depend on their order. */
export function* leastCounted(ids: Uint32Array, counts: Uint32Array, k: number): SpreadWork<RankedRows> {
  const bins = yield* countValues(counts, -1);
  let most = -1;
  let candidates = 0;
  while (most < LAST_BIN && candidates < k) candidates += bins[++most];
  // The same question upside down, for those that come into question.
  const found = newRows(candidates);
  const limit = most < LAST_BIN ? most : MOST;
  let taken = 0;
  yield* inBlocks(counts.length, (begin, end) => {
    taken = takeBetween(ids, counts, begin, end, 0, limit, found, taken);
  });
  const [, largest] = yield* rangeOf(found.counts);
  yield* inBlocks(taken, (begin, end) => turnOver(found, begin, end, largest));
  const ranked = yield* mostCounted(found.ids, found.counts, k, -1);
  return { ids: ranked.ids.map((id) => ~id), counts: ranked.counts.map((count) => largest - count) };
}

/** The `k` smallest of distinct ids and perhaps some more, in no order; all if there are fewer. */
function* smallest(ids: Uint32Array, k: number): SpreadWork<Uint32Array> {
  if (k <= 0) return ids.subarray(0, 0);
  if (ids.length <= k) return ids;
  const [least, largest] = yield* rangeOf(ids);
  const shift = Math.max(0, 32 - Math.clz32(largest - least) - Math.log2(BINS));
  const bins = new Uint32Array(BINS);
  yield* inBlocks(ids.length, (begin, end) => countLeading(ids, begin, end, least, shift, bins));
  let most = -1;
  let size = 0;
  while (size < k) size += bins[++most];
  const chosen = new Uint32Array(size);
  let taken = 0;
  yield* inBlocks(ids.length, (begin, end) => {
    taken = takeLeading(ids, begin, end, least, shift, most, chosen, taken);
  });
  return chosen;
}

/** How often each value above a bound stands in an array; values beyond the last bin count as it. */
function* countValues(values: Uint32Array, above: number): SpreadWork<Uint32Array> {
  const bins = new Uint32Array(BINS);
  yield* inBlocks(values.length, (begin, end) => countAbove(values, above, begin, end, bins));
  return bins;
}

/** The least and the largest of some values; 0 and 0 for none. */
function* rangeOf(values: Uint32Array): SpreadWork<[least: number, largest: number]> {
  let range: [number, number] = [values[0] ?? 0, 0];
  yield* inBlocks(values.length, (begin, end) => {
    range = widen(range, values, begin, end);
  });
  return range;
}

// The loops are functions of their own: a closure that is made anew for every choice may never be compiled.

function widen([least, largest]: [number, number], values: Uint32Array, begin: number, end: number): [number, number] {
  let [low, high] = [least, largest];
  for (let i = begin; i < end; i++) {
    const value = values[i];
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

function countAbove(values: Uint32Array, above: number, begin: number, end: number, bins: Uint32Array): void {
  for (let i = begin; i < end; i++) {
    const value = values[i];
    if (value > above) bins[Math.min(value, LAST_BIN)]++;
  }
}

function countLeading(values: Uint32Array, begin: number, end: number, least: number, shift: number, bins: Uint32Array): void {
  for (let i = begin; i < end; i++) bins[(values[i] - least) >>> shift]++;
}

function takeLeading(
  values: Uint32Array,
  begin: number,
  end: number,
  least: number,
  shift: number,
  most: number,
  target: Uint32Array,
  taken: number,
): number {
  let next = taken;
  for (let i = begin; i < end; i++) if ((values[i] - least) >>> shift <= most) target[next++] = values[i];
  return next;
}

/** Takes the ids that are counted from `least` to `most` times. Returns how many are taken then. */
function takeBetween(
  ids: Uint32Array,
  counts: Uint32Array,
  begin: number,
  end: number,
  least: number,
  most: number,
  target: RankedRows,
  taken: number,
): number {
  const { ids: takenIds, counts: takenCounts } = target;
  let next = taken;
  for (let i = begin; i < end; i++) {
    const count = counts[i];
    if (count < least || count > most) continue;
    takenIds[next] = ids[i];
    takenCounts[next++] = count;
  }
  return next;
}

function turnOver({ ids, counts }: RankedRows, begin: number, end: number, largest: number): void {
  for (let i = begin; i < end; i++) {
    ids[i] = ~ids[i];
    counts[i] = largest - counts[i];
  }
}

function newRows(size: number): RankedRows {
  return { ids: new Uint32Array(size), counts: new Uint32Array(size) };
}
