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

@unmanaged
export class Take {
  /** Id of each place, and how often it was counted [count], a multiple of four. */
  known: usize;
  counts: usize;
  /** Bytes: 1 at a place that is passed over, or else 0 [count]. */
  marks: usize;
  count: u32;
  above: u32;
  /** Out: the ids that are counted more than `above` times, and their counts, with room for `count` of each. */
  ids: usize;
  idCounts: usize;
  /** Out: how many they are. */
  taken: u32;
}

@unmanaged
export class Halve {
  /** Id of each place, and how often it was counted [count], a multiple of four. */
  known: usize;
  counts: usize;
  count: u32;
  /** Out: the same with half the counts. */
  halvedKnown: usize;
  halvedCounts: usize;
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

/**
 * Takes the ids that are counted more than a bound, in the order of their places. One unit. Most counts are small: four are passed over
 * at once, or else taken without a branch.
 */
export function takeMoreCounted(args: usize, _begin: i32, _end: i32): void {
  const take = changetype<Take>(args);
  const ids = take.known - take.counts;
  const above = take.above;
  const bounds = i32x4.splat(<i32>above);
  const end = take.counts + (<usize>take.count << 2);
  let marks = take.marks;
  let taken: usize = 0;
  for (let at = take.counts; at < end; at += 16, marks += 4) {
    if (!v128.any_true(i32x4.gt_u(v128.load(at), bounds))) continue;
    for (let i: usize = 0; i < 4; i++) {
      const count = load<u32>(at + (i << 2));
      store<u32>(take.ids + taken, load<u32>(at + (i << 2) + ids));
      store<u32>(take.idCounts + taken, count);
      taken += <usize>(<u32>(count > above) & (<u32>load<u8>(marks + i) ^ 1)) << 2;
    }
  }
  take.taken = <u32>(taken >> 2);
}

/** Halves counts, rounding down; ids that are left with none lose their places. One unit. */
export function halveCounts(args: usize, _begin: i32, _end: i32): void {
  const halve = changetype<Halve>(args);
  const end = <usize>halve.count << 2;
  for (let at: usize = 0; at < end; at += 16) {
    const half = i32x4.shr_u(v128.load(halve.counts + at), 1);
    v128.store(halve.halvedCounts + at, half);
    v128.store(halve.halvedKnown + at, v128.or(v128.load(halve.known + at), i32x4.eq(half, i32x4.splat(0))));
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
