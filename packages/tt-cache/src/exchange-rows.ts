import type { RowCounter } from "./row-counter.ts";
import { inBlocks, MOVE, type SpreadWork } from "./spread-work.ts";
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
  const apart = yield* counter.apart(held);
  const { counts } = apart;
  const leaving = yield* leastCounted(held, counts, most);
  // Without room, only what replaces the least counted row of all comes into question.
  const above = room > 0 || most === 0 ? 0 : mostWithoutReplacing(leaving.counts[0]);
  const others = yield* apart.others(above);
  const newcomers = yield* mostCounted(others.ids, others.counts, room + most);
  let leave = 0;
  while (leave < most && room + leave < newcomers.ids.length) {
    if (!replaces(newcomers.counts[room + leave], leaving.counts[leave])) break;
    leave++;
  }
  const entering = newcomers.ids.subarray(0, room + leave);
  const rows = new Uint32Array(held.length - leave + entering.length);
  const [lastId, lastCount] = leave === 0 ? [0, -1] : [leaving.ids[leave - 1], leaving.counts[leave - 1]];
  let stay = 0;
  yield* inBlocks(
    held.length,
    (begin, end) => {
      stay = takeStaying(held, counts, begin, end, lastId, lastCount, rows, stay);
    },
    MOVE,
  );
  rows.set(entering, stay);
  return rows;
}

/** Takes the rows that are counted more than the last one that leaves, or as much and have a smaller id. Returns how many are taken then. */
function takeStaying(
  held: Uint32Array,
  counts: Uint32Array,
  begin: number,
  end: number,
  lastId: number,
  lastCount: number,
  target: Uint32Array,
  taken: number,
): number {
  let next = taken;
  for (let i = begin; i < end; i++) {
    if (counts[i] > lastCount || (counts[i] === lastCount && held[i] < lastId)) target[next++] = held[i];
  }
  return next;
}

/** Whether a row that is counted so much makes one that is counted `least` times leave. */
function replaces(count: number, least: number): boolean {
  return count - least > Math.max(LEAST_MARGIN, MARGIN * Math.sqrt(count + least));
}

/** The largest count with which a row does not replace one that is counted `least` times. */
function mostWithoutReplacing(least: number): number {
  let count = least + LEAST_MARGIN;
  while (!replaces(count + 1, least)) count++;
  return count;
}
