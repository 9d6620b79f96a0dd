import type { RowCounter } from "./row-counter.ts";
import { inBlocks, type SpreadWork } from "./spread-work.ts";
import { leastCounted, mostCounted } from "./top-rows.ts";

/** How much more a row must be counted than one that it replaces, in standard deviations of the difference of two counts, and at least. */
const MARGIN = 0.7;
const LEAST_MARGIN = 1;

/** Share of a cache's rows that one refresh exchanges at most, so that few have to be ranked; the next one goes on. */
const MOST = 0.1;

/**
 * The held rows, of which the least counted make way for others that are counted more by a margin: differences of chance would
 * exchange rows for nothing, and with them what they have learned. The others come last, the most counted first.
 */
export function* exchangeRows(counter: RowCounter, capacity: number, held: Uint32Array): SpreadWork<Uint32Array> {
  const room = capacity - held.length;
  const most = Math.min(held.length, Math.ceil(MOST * capacity));
  const { counts, others } = yield* counter.apart(held);
  const leaving = yield* leastCounted(held, counts, most);
  // Without room, only what replaces the least counted row of all comes into question.
  const above = room > 0 || most === 0 ? 0 : leaving.counts[0] + LEAST_MARGIN;
  const newcomers = yield* mostCounted(others.ids, others.counts, room + most, above);
  let leave = 0;
  while (leave < most && room + leave < newcomers.ids.length) {
    const [count, least] = [newcomers.counts[room + leave], leaving.counts[leave]];
    if (count - least <= Math.max(LEAST_MARGIN, MARGIN * Math.sqrt(count + least))) break;
    leave++;
  }
  const entering = newcomers.ids.subarray(0, room + leave);
  const rows = new Uint32Array(held.length - leave + entering.length);
  const [lastId, lastCount] = leave === 0 ? [0, -1] : [leaving.ids[leave - 1], leaving.counts[leave - 1]];
  let stay = 0;
  yield* inBlocks(held.length, 1, (begin, end) => {
    for (let i = begin; i < end; i++) {
      const leaves = counts[i] < lastCount || (counts[i] === lastCount && held[i] >= lastId);
      if (!leaves) rows[stay++] = held[i];
    }
  });
  rows.set(entering, stay);
  return rows;
}
