import type { RankedRows } from "./rank-rows.ts";
import type { CountsApart } from "./row-counter.ts";
import { FAR_SEARCH, inBlocks, inPlaces, SEARCH, type SpreadWork } from "./spread-work.ts";

/** Places that stay in the processor's second cache, 8 bytes each. */
const NEAR = 2 ** 17;

/** Where ids are counted. */
export interface CountedPlaces {
  /** The count of each place. */
  readonly counts: Uint32Array;
  /** Where ids stand: one that does not, beyond the end. */
  find(ids: Uint32Array): Uint32Array;
  /** The ids at the places from `begin` on that have no mark and are counted more than `above` times, and their counts. */
  take(begin: number, marks: Uint8Array, above: number): RankedRows;
}

/** Tells some ids from all that are counted. */
export function* takeApart(places: CountedPlaces, some: Uint32Array): SpreadWork<CountsApart> {
  const known = new Uint32Array(some.length);
  const areSome = new Uint8Array(places.counts.length);
  yield* inBlocks(
    some.length,
    (begin, end) => readCounts(places.find(some.subarray(begin, end)), places.counts, known.subarray(begin, end), areSome),
    places.counts.length > NEAR ? FAR_SEARCH : SEARCH,
  );
  return { counts: known, others: (above) => takeOthers(places, areSome, above) };
}

function* takeOthers({ counts, take }: CountedPlaces, areSome: Uint8Array, above: number): SpreadWork<RankedRows> {
  // Mostly few are counted so much: room for all would take longer to get than they do to find.
  const blocks: RankedRows[] = [];
  const takeBlock = (begin: number, end: number): void => {
    blocks.push(take(begin, areSome.subarray(begin, end), above));
  };
  yield* inPlaces(counts.length, takeBlock);
  return { ids: joined(blocks.map(({ ids }) => ids)), counts: joined(blocks.map((block) => block.counts)) };
}

function joined(parts: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Reads the counts at some places, and marks these; places beyond the end have none. */
function readCounts(places: Uint32Array, counts: Uint32Array, target: Uint32Array, marks: Uint8Array): void {
  for (let i = 0; i < places.length; i++) {
    const place = places[i];
    if (place >= counts.length) continue;
    target[i] = counts[place];
    marks[place] = 1;
  }
}

/** `take` without a kernel. */
export function takeMoreCounted({ ids, counts }: RankedRows, begin: number, marks: Uint8Array, above: number): RankedRows {
  const taken = { ids: new Uint32Array(marks.length), counts: new Uint32Array(marks.length) };
  let size = 0;
  for (let i = 0; i < marks.length; i++) {
    const count = counts[begin + i];
    if (count <= above || marks[i] !== 0) continue;
    taken.ids[size] = ids[begin + i];
    taken.counts[size++] = count;
  }
  return { ids: taken.ids.slice(0, size), counts: taken.counts.slice(0, size) };
}
