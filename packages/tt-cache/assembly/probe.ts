// Which of a batch's rows are cached, and where.
import { NO_ROW } from "../../tt-kernels/assembly/plan";

/** Ids of a block, whose pairs stay in the second cache; a table with more bytes than this does not stay there itself. */
const BLOCK: u32 = 2048;
const SECOND_CACHE: usize = 1 << 19;

/**
 * Open addressing with linear probing: pairs of a row id and its slot; a slot of `NO_ROW` marks a free pair. Searches begin at even pairs,
 * so that two can be looked at without a branch: that leaves a quarter of the branches that cannot be predicted, and took a third off
 * the time.
 */
@unmanaged
export class Probe {
  /** Row ids [count], with room up to a multiple of four. */
  ids: usize;
  count: u32;
  /** The pairs [mask + 1], a power of two. */
  table: usize;
  mask: u32;
  /** Out: slot of each id that is cached, `NO_ROW` for the others [count], with room likewise. */
  slots: usize;
  /** Out: the positions of ids that are cached, and of those that are not [count]. */
  laid: usize;
  below: usize;
  /** Out: the ids that are not cached [count]. */
  missed: usize;
  /** Accesses of each slot, to which this batch's are added, or 0. */
  accesses: usize;
  /** Out: ids that are cached. */
  hits: u32;
  /** Rows of the table, or 0 where the ids are known to be below. */
  extent: u32;
  /** Out: 1 if an id is not below, and nothing was looked up and counted. */
  isOutside: u32;
}

/** The largest of some ids. */
function largest(ids: usize, count: u32): u32 {
  const end = ids + (<usize>count << 2);
  let most = i32x4.splat(0);
  for (; ids + 16 <= end; ids += 16) most = i32x4.max_u(most, v128.load(ids));
  most = i32x4.max_u(most, v128.shuffle<i32>(most, most, 2, 3, 0, 1));
  most = i32x4.max_u(most, v128.shuffle<i32>(most, most, 1, 0, 3, 2));
  let id = <u32>i32x4.extract_lane(most, 0);
  for (; ids < end; ids += 4) id = max(id, load<u32>(ids));
  return id;
}

/**
 * Writes the byte offset of the pair at which the search for each id begins: the finaliser of MurmurHash3, a bijection that sends
 * neighbours far apart. Arrays are read and written up to a multiple of four.
 */
function writeHomes(ids: usize, count: u32, mask: usize, homes: usize): void {
  const first = i32x4.splat(0x85ebca6b);
  const second = i32x4.splat(0xc2b2ae35);
  const masks = i32x4.splat(<i32>(mask & ~15));
  const end = homes + (<usize>count << 2);
  while (homes < end) {
    let h = v128.load(ids);
    h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 16)), first);
    h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 13)), second);
    h = v128.xor(h, i32x4.shr_u(h, 16));
    v128.store(homes, v128.and(i32x4.shl(h, 3), masks));
    ids += 16;
    homes += 16;
  }
}

/**
 * Reads the first pair of each search, so that many are on their way from memory at once: a search whose length was not predicted ends
 * the looking ahead. Returns something of what was read, lest the reading is left out.
 */
function touch(homes: usize, count: u32, table: usize): u32 {
  const end = homes + (<usize>count << 2);
  let read: u32 = 0;
  for (; homes < end; homes += 4) read ^= load<u32>(table + load<u32>(homes));
  return read;
}

/**
 * Looks up all ids. One unit. Pass by pass, so that the variables of each have room in the processor's registers: one loop that did
 * everything took twice as long.
 */
export function probeRows(args: usize, _begin: i32, _end: i32): void {
  const probe = changetype<Probe>(args);
  const count = probe.count;
  probe.isOutside = <u32>(probe.extent != 0 && count != 0 && largest(probe.ids, count) >= probe.extent);
  if (probe.isOutside) return;
  const mask = <usize>probe.mask << 3;
  const isLarge = mask >= SECOND_CACHE;
  for (let first: u32 = 0; first < count; first += BLOCK) {
    const ids = probe.ids + (<usize>first << 2);
    const slots = probe.slots + (<usize>first << 2);
    const size = min(BLOCK, count - first);
    // A slot is written where its search's beginning was read.
    writeHomes(ids, size, mask, slots);
    if (isLarge) probe.hits = touch(slots, size, probe.table);
    findSlots(ids, ids + (<usize>size << 2), slots, probe.table, mask);
  }
  probe.hits = shareOut(count, probe.slots, probe.laid, probe.below);
  gatherIds(probe.ids, probe.below, count - probe.hits, probe.missed);
  if (probe.accesses != 0) countAccesses(probe.laid, probe.hits, probe.slots, probe.accesses);
}

/**
 * Whether an id is cached cannot be predicted, so but for long searches there is no branch: two pairs are compared at once with the id
 * and with what marks a free one, and the first that is either has the slot.
 */
function findSlots(ids: usize, end: usize, slots: usize, table: usize, mask: usize): void {
  const free = v128(0, 0, 0, 0, -1, -1, -1, -1, 0, 0, 0, 0, -1, -1, -1, -1);
  for (; ids < end; ids += 4) {
    const wanted = v128.or(v128.load32_splat(ids), free);
    let pairs = table + <usize>load<u32>(slots);
    let ends = i32x4.bitmask(i32x4.eq(v128.load(pairs), wanted));
    while (ends == 0) {
      pairs = table + ((pairs - table + 16) & mask);
      ends = i32x4.bitmask(i32x4.eq(v128.load(pairs), wanted));
    }
    store<u32>(slots, load<u32>(pairs + select<usize>(4, 12, ends & 3)));
    slots += 4;
  }
}

/** Lists the positions that have a slot, and those that have none. Returns how many have one. */
function shareOut(count: u32, slots: usize, laid: usize, below: usize): u32 {
  const begin = laid;
  for (let i: u32 = 0; i < count; i++) {
    const isHit = <usize>(load<u32>(slots + (<usize>i << 2)) != NO_ROW) << 2;
    // Written to both lists, and overwritten by the next where it does not belong.
    store<u32>(laid, i);
    laid += isHit;
    store<u32>(below, i);
    below += 4 - isHit;
  }
  return <u32>((laid - begin) >> 2);
}

/** The ids at the positions of a list. */
function gatherIds(ids: usize, positions: usize, count: u32, out: usize): void {
  const end = positions + (<usize>count << 2);
  for (; positions < end; positions += 4) {
    store<u32>(out, load<u32>(ids + (<usize>load<u32>(positions) << 2)));
    out += 4;
  }
}

/** Adds an access to the slot of each position of a list. */
function countAccesses(positions: usize, count: u32, slots: usize, accesses: usize): void {
  const end = positions + (<usize>count << 2);
  for (; positions < end; positions += 4) {
    const counter = accesses + (<usize>load<u32>(slots + (<usize>load<u32>(positions) << 2)) << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
}
