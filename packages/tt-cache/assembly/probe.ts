// Which of a batch's rows are cached, and where.
import { NO_ROW } from "../../tt-kernels/assembly/plan";

/** Open addressing with linear probing: pairs of a row id and its slot; a slot of `NO_ROW` marks a free pair. */
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
  /** Accesses of each slot, to which this batch's are added, or 0; and a word that takes what is not counted. */
  accesses: usize;
  none: usize;
  /** Out: ids that are cached. */
  hits: u32;
}

/**
 * Writes the byte offset of the pair at which the search for each id begins: the finaliser of MurmurHash3, a bijection that sends
 * neighbours far apart. Arrays are read and written up to a multiple of four.
 */
function writeHomes(ids: usize, count: u32, mask: usize, homes: usize): void {
  const first = i32x4.splat(0x85ebca6b);
  const second = i32x4.splat(0xc2b2ae35);
  const masks = i32x4.splat(<i32>mask);
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

/** Looks up all ids. One unit. Whether an id is cached cannot be predicted, so but for collisions there is no branch. */
export function probeRows(args: usize, _begin: i32, _end: i32): void {
  const probe = changetype<Probe>(args);
  const table = probe.table;
  const mask = <usize>probe.mask << 3;
  const count = probe.count;
  const ids = probe.ids;
  const slots = probe.slots;
  const accesses = probe.accesses;
  const none = probe.none;
  let laid = probe.laid;
  let below = probe.below;
  const missed = probe.missed - below;
  // A slot is written where its search's beginning was read.
  writeHomes(ids, count, mask, slots);
  for (let i: u32 = 0; i < count; i++) {
    const at = <usize>i << 2;
    const id = load<u32>(ids + at);
    let entry = <usize>load<u32>(slots + at);
    let pair = load<u64>(table + entry);
    while (<i32>(<u32>pair != id) & <i32>(<u32>(pair >> 32) != NO_ROW)) {
      entry = (entry + 8) & mask;
      pair = load<u64>(table + entry);
    }
    const slot = <u32>(pair >> 32);
    const isHit = slot != NO_ROW;
    store<u32>(slots + at, slot);
    // Written to both lists, and overwritten by the next where it does not belong.
    store<u32>(laid, i);
    laid += <usize>isHit << 2;
    store<u32>(below, i);
    store<u32>(below + missed, id);
    below += <usize>!isHit << 2;
    const counter = select<usize>(accesses + (<usize>slot << 2), none, <bool>(<i32>isHit & <i32>(accesses != 0)));
    store<u32>(counter, load<u32>(counter) + 1);
  }
  probe.hits = <u32>((laid - probe.laid) >> 2);
}
