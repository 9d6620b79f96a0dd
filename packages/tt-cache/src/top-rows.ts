import { type RankedRows, rankRows } from "./rank-rows.ts";
import { inBlocks, type SpreadWork } from "./spread-work.ts";

/** Values told apart by a histogram; it stays in the first cache. */
const BINS = 2 ** 12;
const LAST_BIN = BINS - 1;

/** Cost of a look at a number that mostly is passed over. */
const LOOK = 0.5;

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
  const found = { ids: new Uint32Array(candidates), counts: new Uint32Array(candidates) };
  const tied = new Uint32Array(least < LAST_BIN ? bins[least] : 0);
  let [next, ties] = [0, 0];
  yield* inBlocks(counts.length, LOOK, (begin, end) => {
    for (let i = begin; i < end; i++) {
      if (counts[i] < least || counts[i] <= above) continue;
      if (counts[i] === least && tied.length > 0) tied[ties++] = ids[i];
      else {
        found.ids[next] = ids[i];
        found.counts[next++] = counts[i];
      }
    }
  });
  const chosen = yield* smallest(tied.subarray(0, ties), k - next);
  found.ids.set(chosen, next);
  found.counts.fill(least, next, next + chosen.length);
  next += chosen.length;
  const ranked = yield* rankRows(found.ids.subarray(0, next), found.counts.subarray(0, next));
  return { ids: ranked.ids.subarray(0, k), counts: ranked.counts.subarray(0, k) };
}

/** The `k` least counted of distinct ids, the least counted first, equal ones by the larger id, so that the answer does not depend on their order. */
export function* leastCounted(ids: Uint32Array, counts: Uint32Array, k: number): SpreadWork<RankedRows> {
  const bins = yield* countValues(counts, -1);
  let most = -1;
  let candidates = 0;
  while (most < LAST_BIN && candidates < k) candidates += bins[++most];
  // The same question upside down, for those that come into question.
  const above = { ids: new Uint32Array(candidates), counts: new Uint32Array(candidates) };
  const limit = most < LAST_BIN ? most : Number.POSITIVE_INFINITY;
  let [next, largest] = [0, 0];
  yield* inBlocks(counts.length, 1, (begin, end) => {
    for (let i = begin; i < end; i++) {
      if (counts[i] > limit) continue;
      above.ids[next] = ~ids[i];
      above.counts[next++] = counts[i];
      largest = Math.max(largest, counts[i]);
    }
  });
  yield* inBlocks(next, 1, (begin, end) => {
    for (let i = begin; i < end; i++) above.counts[i] = largest - above.counts[i];
  });
  const ranked = yield* mostCounted(above.ids, above.counts, k, -1);
  return { ids: ranked.ids.map((id) => ~id), counts: ranked.counts.map((count) => largest - count) };
}

/** The `k` smallest of distinct ids and perhaps some more, in no order; all if there are fewer. */
function* smallest(ids: Uint32Array, k: number): SpreadWork<Uint32Array> {
  if (k <= 0) return ids.subarray(0, 0);
  if (ids.length <= k) return ids;
  let [least, largest] = [ids[0], ids[0]];
  yield* inBlocks(ids.length, 1, (begin, end) => {
    for (let i = begin; i < end; i++) {
      least = Math.min(least, ids[i]);
      largest = Math.max(largest, ids[i]);
    }
  });
  const shift = Math.max(0, 32 - Math.clz32(largest - least) - Math.log2(BINS));
  const bins = new Uint32Array(BINS);
  yield* inBlocks(ids.length, 1, (begin, end) => {
    for (let i = begin; i < end; i++) bins[(ids[i] - least) >>> shift]++;
  });
  let most = -1;
  let size = 0;
  while (size < k) size += bins[++most];
  const chosen = new Uint32Array(size);
  let next = 0;
  yield* inBlocks(ids.length, 1, (begin, end) => {
    for (let i = begin; i < end; i++) if ((ids[i] - least) >>> shift <= most) chosen[next++] = ids[i];
  });
  return chosen;
}

/** How often each value above a bound stands in an array; values beyond the last bin count as it. */
function* countValues(values: Uint32Array, above: number): SpreadWork<Uint32Array> {
  const bins = new Uint32Array(BINS);
  yield* inBlocks(values.length, LOOK, (begin, end) => countBlock(values, above, begin, end, bins));
  return bins;
}

function countBlock(values: Uint32Array, above: number, begin: number, end: number, bins: Uint32Array): void {
  for (let i = begin; i < end; i++) if (values[i] > above) bins[Math.min(values[i], LAST_BIN)]++;
}
