// The lookup plan of a batch: positions sorted by row, distinct rows, and the tree of their prefixes.
//
// Level k holds the distinct digits (i_0 … i_k) of the batch, its nodes; the last level holds the rows. Nodes of an inner
// level are numbered by their own digit first, then by their parent, so that those that multiply by one core slice lie
// together: a bucket. Rows are numbered by their parent, so that those that extend one prefix lie together.
import { bitsBelow, COUNTER_BYTES, sortPairs } from "./radix-sort";

/** Stands for the slot of a position that has none: no table has so many rows. */
export const NO_ROW: u32 = 0xffffffff;

/** An inner level, k = 0 … d − 2. */
@unmanaged
export class Level {
  /** In: p_k. */
  extent: u32;
  /** In: p_0 · … · p_(k−1). */
  below: u32;
  /** Out: nodes. */
  count: u32;
  /** Out: distinct digits. */
  buckets: u32;
  /** Out: node of the level above that each node extends [count]; not at level 0. */
  parents: usize;
  /** Out: digit of each bucket [buckets]. */
  bucketDigits: usize;
  /** Out: first node of each bucket [buckets + 1]. */
  bucketStarts: usize;
  /** Out: where the rows of each node start [count + 1] at level d − 2; where its children in the list start at levels 1 … d − 3. */
  childStarts: usize;
  /** Out: nodes of the next level by parent, at levels 1 … d − 3. */
  children: usize;
}

@unmanaged
export class Plan {
  /** In: row ids by position, and the number of positions that count. */
  ids: usize;
  lookups: u32;
  /** In: d. */
  depth: u32;
  /** In: the levels k = 0 … d − 2, one after another. */
  levels: usize;
  /** In: p_(d−1). */
  lastExtent: u32;
  /** In: p_0 · … · p_(d−1), or 0 for 2^32. */
  rowExtent: u32;
  /** Spare: two arrays of pairs [lookups] and the counters of a sort. */
  pairs: usize;
  spare: usize;
  counters: usize;
  /** Out: positions by row [lookups], the row of each position [positions] unless 0, and where each row's positions start [uniqueRows + 1]. */
  order: usize;
  rowOf: usize;
  rowStarts: usize;
  /** Out: i_(d−1) of each row, or the row itself if there are no levels [uniqueRows]. */
  rowDigits: usize;
  /** Out: the distinct last digits, rising, with room for one more, and the place of each row's digit among them [uniqueRows]. */
  segmentDigits: usize;
  rowSegments: usize;
  /** Out. */
  uniqueRows: u32;
  segments: u32;
  /** In: the positions that count [lookups], rising; 0 stands for all. */
  positions: usize;
}

/** Bytes of a `Level`. */
const LEVEL_BYTES: usize = 36;

@inline
export function levelAt(levels: usize, k: i32): Level {
  return changetype<Level>(levels + <usize>k * LEVEL_BYTES);
}

/** Plans a batch. One unit. */
export function planTT(args: usize, _begin: i32, _end: i32): void {
  const plan = changetype<Plan>(args);
  const n = <i32>plan.lookups;
  writeKeys(plan);
  const bits = plan.rowExtent == 0 ? 32 : bitsBelow(plan.rowExtent);
  const sorted = sortPairs(plan.pairs, plan.spare, n, bits, plan.counters);
  const keys = groupRows(plan, sorted, sorted == plan.pairs ? plan.spare : plan.pairs);
  let nodeKeys = groupPrefixes(plan, keys);
  for (let k = <i32>plan.depth - 2; k > 0; k--) {
    const isDigit = k == 1 && levelAt(plan.levels, 1).below <= MOST_COUNTED;
    nodeKeys = isDigit ? linkDigits(plan, nodeKeys) : linkParents(plan, k, nodeKeys);
  }
  const first = levelAt(plan.levels, 0);
  // At level 0 a node is a digit.
  findBuckets(first, nodeKeys);
  numberLastDigits(plan);
}

/** Plans a batch of an uncompressed table, which has no levels: positions sorted by row, and the distinct rows. One unit. */
export function planDense(args: usize, _begin: i32, _end: i32): void {
  const plan = changetype<Plan>(args);
  const n = <i32>plan.lookups;
  const ids = plan.ids;
  if (plan.rowExtent <= 2 * plan.lookups) {
    countRows(plan);
    return;
  }
  for (let i = 0; i < n; i++) {
    const p = positionAt(plan.positions, i);
    store<u64>(plan.pairs + (<usize>i << 3), (<u64>load<u32>(ids + (<usize>p << 2)) << 32) | <u64>p);
  }
  const sorted = sortPairs(plan.pairs, plan.spare, n, bitsBelow(plan.rowExtent), plan.counters);
  groupRows(plan, sorted, plan.rowDigits);
}

/** The i-th of the positions that count. */
@inline
function positionAt(positions: usize, i: u32): u32 {
  return positions == 0 ? i : load<u32>(positions + (<usize>i << 2));
}

/** Sorts by counting where there are few rows for so many ids. */
function countRows(plan: Plan): void {
  const n = plan.lookups;
  const ids = plan.ids;
  const positions = plan.positions;
  const counters = plan.pairs;
  memory.fill(counters, 0, <usize>plan.rowExtent << 2);
  for (let i: u32 = 0; i < n; i++) {
    const id = load<u32>(ids + (<usize>positionAt(positions, i) << 2));
    const counter = counters + (<usize>id << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
  let rows: u32 = 0;
  let sum: u32 = 0;
  for (let row: u32 = 0; row < plan.rowExtent; row++) {
    const counter = counters + (<usize>row << 2);
    const count = load<u32>(counter);
    // Written whether the row occurs or not, and overwritten by the next.
    store<u32>(plan.rowDigits + (<usize>rows << 2), row);
    store<u32>(plan.rowStarts + (<usize>rows << 2), sum);
    store<u32>(counter, sum);
    sum += count;
    rows += <u32>(count != 0);
  }
  store<u32>(plan.rowStarts + (<usize>rows << 2), sum);
  plan.uniqueRows = rows;
  const order = plan.order;
  for (let i: u32 = 0; i < n; i++) {
    const p = positionAt(positions, i);
    const counter = counters + (<usize>load<u32>(ids + (<usize>p << 2)) << 2);
    const place = load<u32>(counter);
    store<u32>(counter, place + 1);
    store<u32>(order + (<usize>place << 2), p);
  }
}

/**
 * Pairs (key, position): the key has the digits i_(d−2), …, i_0, i_(d−1), from the most significant down.
 * Plain divisions: two of them take 3 ns, multiplications by rounded inverses in float64 took 7.
 */
function writeKeys(plan: Plan): void {
  const n = plan.lookups;
  const positions = plan.positions;
  const levels = plan.levels;
  const inner = <i32>plan.depth - 2;
  const lastExtent = plan.lastExtent;
  const ids = plan.ids;
  let at = plan.pairs;
  if (inner == 1) {
    const level = levelAt(levels, 1);
    const extent = level.extent;
    const below = level.below;
    for (let i: u32 = 0; i < n; i++) {
      const p = positionAt(positions, i);
      const id = load<u32>(ids + (<usize>p << 2));
      const prefix = id / lastExtent;
      const first = prefix / extent;
      const key = ((prefix - first * extent) * below + first) * lastExtent + (id - prefix * lastExtent);
      store<u64>(at, (<u64>key << 32) | <u64>p);
      at += 8;
    }
    return;
  }
  for (let i: u32 = 0; i < n; i++) {
    const p = positionAt(positions, i);
    const id = load<u32>(ids + (<usize>p << 2));
    let rest = id / lastExtent;
    const last = id - rest * lastExtent;
    let key: u32 = 0;
    for (let k = inner; k > 0; k--) {
      const level = levelAt(levels, k);
      const quotient = rest / level.extent;
      key += (rest - quotient * level.extent) * level.below;
      rest = quotient;
    }
    key = (key + rest) * lastExtent + last;
    store<u64>(at, (<u64>key << 32) | <u64>p);
    at += 8;
  }
}

/** Numbers the distinct keys; every position is stored as the end of its row so far, which needs no branch. Returns the keys. */
function groupRows(plan: Plan, sorted: usize, keys: usize): usize {
  const n = plan.lookups;
  const order = plan.order;
  const rowOf = plan.rowOf;
  const rowStarts = plan.rowStarts;
  store<u32>(rowStarts, 0);
  let row: u32 = -1;
  let previous: u32 = n == 0 ? 0 : ~load<u32>(sorted, 4);
  for (let s: u32 = 0; s < n; s++) {
    const pair = load<u64>(sorted + (<usize>s << 3));
    const key = <u32>(pair >> 32);
    const position = <u32>pair;
    row += <u32>(key != previous);
    previous = key;
    store<u32>(order + (<usize>s << 2), position);
    if (rowOf != 0) store<u32>(rowOf + (<usize>position << 2), row);
    store<u32>(keys + (<usize>row << 2), key);
    store<u32>(rowStarts + (<usize>row << 2), s + 1, 4);
  }
  plan.uniqueRows = row + 1;
  return keys;
}

/** Numbers the distinct prefixes of the rows: the nodes of level d − 2. Returns their keys, which overwrite those of the rows. */
function groupPrefixes(plan: Plan, keys: usize): usize {
  const rows = plan.uniqueRows;
  const level = levelAt(plan.levels, <i32>plan.depth - 2);
  const extent = plan.lastExtent;
  const digits = plan.rowDigits;
  const childStarts = level.childStarts;
  store<u32>(childStarts, 0);
  let node: u32 = -1;
  let previous: u32 = rows == 0 ? 0 : ~(load<u32>(keys) / extent);
  for (let u: u32 = 0; u < rows; u++) {
    const key = load<u32>(keys + (<usize>u << 2));
    const prefix = key / extent;
    node += <u32>(prefix != previous);
    previous = prefix;
    store<u32>(digits + (<usize>u << 2), key - prefix * extent);
    store<u32>(keys + (<usize>node << 2), prefix);
    store<u32>(childStarts + (<usize>node << 2), u + 1, 4);
  }
  level.count = node + 1;
  return keys;
}

/** Most digits that are numbered by marking those that occur: the counters of a sort have room for so many. */
const MOST_COUNTED: u32 = COUNTER_BYTES >> 2;

/** `linkParents` of level 1, whose parents' keys are digits: no sort is needed to number them. */
function linkDigits(plan: Plan, keys: usize): usize {
  const level = levelAt(plan.levels, 1);
  const above = levelAt(plan.levels, 0);
  const count = level.count;
  const below = level.below;
  const parents = level.parents;
  for (let node: u32 = 0; node < count; node++) {
    const at = <usize>node << 2;
    const key = load<u32>(keys + at);
    const digit = key / below;
    store<u32>(keys + at, digit);
    store<u32>(parents + at, key - digit * below);
  }
  findBuckets(level, keys);
  const parentKeys = keys == plan.pairs ? plan.spare : plan.pairs;
  above.count = numberDigits(parents, count, below, plan.counters, parentKeys, parents);
  return parentKeys;
}

/** Splits the keys of level k into digit and parent key, numbers the distinct parents, and returns their keys. */
function linkParents(plan: Plan, k: i32, keys: usize): usize {
  const level = levelAt(plan.levels, k);
  const above = levelAt(plan.levels, k - 1);
  const count = level.count;
  const below = level.below;
  // The keys lie in one half of the pairs of the larger sort; this one needs at most as many pairs, in the other.
  const pairs = keys == plan.pairs ? plan.spare : plan.pairs;
  for (let node: u32 = 0; node < count; node++) {
    const key = load<u32>(keys + (<usize>node << 2));
    const digit = key / below;
    store<u64>(pairs + (<usize>node << 3), (<u64>(key - digit * below) << 32) | <u64>node);
    store<u32>(keys + (<usize>node << 2), digit);
  }
  findBuckets(level, keys);
  const sorted = sortPairs(pairs, keys, <i32>count, bitsBelow(below), plan.counters);
  const parents = level.parents;
  const childStarts = above.childStarts;
  const children = above.children;
  const parentKeys = sorted == pairs ? keys : pairs;
  const listed = k > 1;
  if (listed) store<u32>(childStarts, 0);
  let parent: u32 = -1;
  let previous: u32 = count == 0 ? 0 : ~load<u32>(sorted, 4);
  for (let s: u32 = 0; s < count; s++) {
    const pair = load<u64>(sorted + (<usize>s << 3));
    const key = <u32>(pair >> 32);
    const node = <u32>pair;
    parent += <u32>(key != previous);
    previous = key;
    store<u32>(parents + (<usize>node << 2), parent);
    store<u32>(parentKeys + (<usize>parent << 2), key);
    if (listed) {
      store<u32>(children + (<usize>s << 2), node);
      store<u32>(childStarts + (<usize>parent << 2), s + 1, 4);
    }
  }
  above.count = parent + 1;
  return parentKeys;
}

/** Finds the runs of equal digits, which rise with the node. */
function findBuckets(level: Level, digits: usize): void {
  const count = level.count;
  const bucketDigits = level.bucketDigits;
  const bucketStarts = level.bucketStarts;
  store<u32>(bucketStarts, 0);
  let bucket: u32 = -1;
  let previous: u32 = count == 0 ? 0 : ~load<u32>(digits);
  for (let node: u32 = 0; node < count; node++) {
    const digit = load<u32>(digits + (<usize>node << 2));
    bucket += <u32>(digit != previous);
    previous = digit;
    store<u32>(bucketDigits + (<usize>bucket << 2), digit);
    store<u32>(bucketStarts + (<usize>bucket << 2), node + 1, 4);
  }
  level.buckets = bucket + 1;
}

/** Numbers the distinct last digits in rising order. */
function numberLastDigits(plan: Plan): void {
  plan.segments = numberDigits(plan.rowDigits, plan.uniqueRows, plan.lastExtent, plan.spare, plan.segmentDigits, plan.rowSegments);
}

/**
 * Numbers the distinct ones of some digits [count] in rising order: lists them, with room for one more, and writes the number of each
 * place, which may be over the digits. Returns how many there are. `marks` has room for all digits below `extent`.
 */
function numberDigits(digits: usize, count: u32, extent: u32, marks: usize, listed: usize, numbers: usize): u32 {
  if (count == 0) return 0;
  memory.fill(marks, 0, <usize>extent << 2);
  for (let i: u32 = 0; i < count; i++) store<u32>(marks + (<usize>load<u32>(digits + (<usize>i << 2)) << 2), 1);
  let distinct: u32 = 0;
  for (let digit: u32 = 0; digit < extent; digit++) {
    const at = marks + (<usize>digit << 2);
    const occurs = load<u32>(at);
    // Written whether it occurs or not, which cannot be predicted, and overwritten by the next.
    store<u32>(listed + (<usize>distinct << 2), digit);
    store<u32>(at, distinct);
    distinct += occurs;
  }
  for (let i: u32 = 0; i < count; i++) {
    const at = <usize>i << 2;
    store<u32>(numbers + at, load<u32>(marks + (<usize>load<u32>(digits + at) << 2)));
  }
  return distinct;
}
