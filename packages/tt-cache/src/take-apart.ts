import type { CountsApart } from "./row-counter.ts";
import { inBlocks, SEARCH, type SpreadWork } from "./spread-work.ts";

/** Tells some ids from all that are counted; `placeOf` tells where an id stands among these, or −1. */
export function* takeApart(
  ids: Uint32Array,
  counts: Uint32Array,
  some: Uint32Array,
  placeOf: (id: number) => number,
): SpreadWork<CountsApart> {
  const others = { ids, counts: new Uint32Array(counts.length) };
  yield* inBlocks(counts.length, 1, (begin, end) => others.counts.set(counts.subarray(begin, end), begin));
  const found = new Uint32Array(some.length);
  yield* inBlocks(some.length, SEARCH, (begin, end) => {
    for (let i = begin; i < end; i++) {
      const place = placeOf(some[i]);
      if (place < 0) continue;
      found[i] = counts[place];
      others.counts[place] = 0;
    }
  });
  return { counts: found, others };
}
