import { areAmong } from "./id-set.ts";
import { type RankedRows, rankRows } from "./rank-rows.ts";
import type { RowCounter } from "./row-counter.ts";
import { inBlocks, SEARCH, type SpreadWork } from "./spread-work.ts";

/** How much more a row must be counted than one that it replaces, in standard deviations of the difference of two counts. */
const MARGIN = 1;

/**
 * The held rows, of which the least counted make way for others that are counted more by `MARGIN` standard deviations: differences
 * of chance would exchange rows for nothing, and with them what they have learned.
 */
export function* exchangeRows(counter: RowCounter, capacity: number, held: Uint32Array): SpreadWork<Uint32Array> {
  // Among twice as many as the cache can hold there are enough that it does not hold.
  const newcomers = yield* without(yield* counter.ranking(2 * capacity), held);
  const heldCounts = new Uint32Array(held.length);
  yield* inBlocks(held.length, SEARCH, (begin, end) => {
    for (let i = begin; i < end; i++) heldCounts[i] = counter.count(held[i]);
  });
  // Ranked so that the answer does not depend on slots; those that leave are the last.
  const staying = yield* rankRows(held, heldCounts);
  const room = capacity - held.length;
  let leave = 0;
  while (leave < held.length && room + leave < newcomers.ids.length) {
    const [count, least] = [newcomers.counts[room + leave], staying.counts[held.length - 1 - leave]];
    if (count - least <= MARGIN * Math.sqrt(count + least)) break;
    leave++;
  }
  const stay = held.length - leave;
  const rows = new Uint32Array(Math.min(capacity, stay + newcomers.ids.length));
  rows.set(staying.ids.subarray(0, stay));
  rows.set(newcomers.ids.subarray(0, rows.length - stay), stay);
  return rows;
}

/** Ranked rows but for some. */
function* without({ ids, counts }: RankedRows, some: Uint32Array): SpreadWork<RankedRows> {
  const isOut = yield* areAmong(ids, some);
  const rest = { ids: new Uint32Array(ids.length), counts: new Uint32Array(ids.length) };
  let next = 0;
  yield* inBlocks(ids.length, 1, (begin, end) => {
    for (let i = begin; i < end; i++) {
      if (isOut[i] === 1) continue;
      rest.ids[next] = ids[i];
      rest.counts[next++] = counts[i];
    }
  });
  return { ids: rest.ids.subarray(0, next), counts: rest.counts.subarray(0, next) };
}
