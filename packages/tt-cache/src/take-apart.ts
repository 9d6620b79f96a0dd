import type { CountsApart } from "./row-counter.ts";
import { inBlocks, SEARCH, type SpreadWork } from "./spread-work.ts";

/** Cost of copying a number, of which several are copied at once. */
const COPY = 1 / 16;

/** Tells some ids from all that are counted; `placesOf` tells where ids stand among these: an id that does not, beyond their end. */
export function* takeApart(
  ids: Uint32Array,
  counts: Uint32Array,
  some: Uint32Array,
  placesOf: (ids: Uint32Array) => Uint32Array,
): SpreadWork<CountsApart> {
  const others = { ids, counts: new Uint32Array(counts.length) };
  yield* inBlocks(counts.length, COPY, (begin, end) => others.counts.set(counts.subarray(begin, end), begin));
  const found = new Uint32Array(some.length);
  yield* inBlocks(some.length, SEARCH, (begin, end) => {
    const places = placesOf(some.subarray(begin, end));
    for (let i = begin; i < end; i++) {
      const place = places[i - begin];
      if (place >= counts.length) continue;
      found[i] = counts[place];
      others.counts[place] = 0;
    }
  });
  return { counts: found, others };
}
