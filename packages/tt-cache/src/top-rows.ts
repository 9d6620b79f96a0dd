import { type RankedRows, rankRows } from "./rank-rows.ts";
import { inBlocks, type SpreadWork } from "./spread-work.ts";

/** Values told apart by a histogram of 16 bits. */
const BINS = 2 ** 16;
const LAST_BIN = BINS - 1;

/**
 * The `k` most counted of distinct ids, the most counted first, equal ones by the smaller id, so that the answer is unique. Ids without
 * a count are left out. Linear in the ids.
 */
export function* mostCounted(ids: Uint32Array, counts: Uint32Array, k: number): SpreadWork<RankedRows> {
  const bins = new Uint32Array(BINS);
  yield* inBlocks(counts.length, 1, (begin, end) => countValues(counts, begin, end, bins));
  // Nothing below the bin of the k-th largest is among them; the bin itself may hold more than are needed.
  let least = BINS;
  let candidates = 0;
  while (least > 1 && candidates < k) candidates += bins[--least];
  const found = { ids: new Uint32Array(candidates), counts: new Uint32Array(candidates) };
  let next = 0;
  yield* inBlocks(counts.length, 1, (begin, end) => {
    for (let i = begin; i < end; i++) {
      if (counts[i] < least) continue;
      found.ids[next] = ids[i];
      found.counts[next++] = counts[i];
    }
  });
  const ranked = yield* rankRows(found.ids, found.counts);
  return { ids: ranked.ids.subarray(0, k), counts: ranked.counts.subarray(0, k) };
}

function countValues(values: Uint32Array, begin: number, end: number, bins: Uint32Array): void {
  for (let i = begin; i < end; i++) bins[Math.min(values[i], LAST_BIN)]++;
}
