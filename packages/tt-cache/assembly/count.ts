// Accesses of ids that are not cached, in sets of eight places: an id is counted at its place or takes that of the least counted.

/** Places of a set. */
const WAYS: usize = 8;

const MAX_COUNT: u32 = 0xffffffff;

/** Marks an id that has no place. */
const NOWHERE: u32 = 0xffffffff;

@unmanaged
export class Count {
  /** Ids to count [count]. */
  ids: usize;
  count: u32;
  /** Id of each place, and how often it was counted [8 · sets]. */
  known: usize;
  counts: usize;
  sets: u32;
}

@unmanaged
export class Find {
  /** Ids to look for [count]. */
  ids: usize;
  count: u32;
  /** Id of each place [8 · sets]. */
  known: usize;
  sets: u32;
  /** Out: the place of each id, or `NOWHERE` [count]. */
  places: usize;
}

/**
 * Counts all ids, one after another. One unit. Whether an id has a place cannot be predicted, and for most it must be read from memory,
 * so no branch waits for it.
 */
export function countIds(args: usize, _begin: i32, _end: i32): void {
  const count = changetype<Count>(args);
  const counts = count.counts - count.known;
  const sets = <f64>count.sets;
  const end = count.ids + (<usize>count.count << 2);
  for (let at = count.ids; at < end; at += 4) {
    const id = load<u32>(at);
    const set = count.known + <usize>setOf(id, sets) * (WAYS << 2);
    const least = leastOf(v128.load(set + counts), v128.load(set + counts, 16));
    const ids = i32x4.splat(<i32>id);
    const found = maskOf(i32x4.eq(v128.load(set), ids), i32x4.eq(v128.load(set, 16), ids));
    const place = set + (<usize>ctz(select<i32>(found, least, found)) << 2);
    const before = load<u32>(place + counts);
    store<u32>(place, id);
    store<u32>(place + counts, select<u32>(before + <u32>(before != MAX_COUNT), 1, found));
  }
}

/** Finds the places of all ids. One unit; without a branch, for the same reason. */
export function findPlaces(args: usize, _begin: i32, _end: i32): void {
  const find = changetype<Find>(args);
  const sets = <f64>find.sets;
  const end = find.ids + (<usize>find.count << 2);
  let out = find.places;
  for (let at = find.ids; at < end; at += 4) {
    const id = load<u32>(at);
    const first = setOf(id, sets) * <u32>WAYS;
    const set = find.known + (<usize>first << 2);
    const ids = i32x4.splat(<i32>id);
    const found = maskOf(i32x4.eq(v128.load(set), ids), i32x4.eq(v128.load(set, 16), ids));
    store<u32>(out, select<u32>(first + <u32>ctz(found), NOWHERE, found));
    out += 4;
  }
}

/** The set of an id: the finaliser of MurmurHash3, scaled to the number of sets in float64, as the host does it. */
@inline
function setOf(id: u32, sets: f64): u32 {
  let h = id;
  h = (h ^ (h >>> 16)) * 0x85ebca6b;
  h = (h ^ (h >>> 13)) * 0xc2b2ae35;
  h ^= h >>> 16;
  return <u32>((<f64>h * sets) / 4294967296.0);
}

/** A bit for each place whose count is the least. */
@inline
function leastOf(a: v128, b: v128): i32 {
  let least = i32x4.min_u(a, b);
  least = i32x4.min_u(least, v128.shuffle<i32>(least, least, 2, 3, 0, 1));
  least = i32x4.min_u(least, v128.shuffle<i32>(least, least, 1, 0, 3, 2));
  return maskOf(i32x4.eq(a, least), i32x4.eq(b, least));
}

@inline
function maskOf(a: v128, b: v128): i32 {
  return i32x4.bitmask(a) | (i32x4.bitmask(b) << 4);
}
