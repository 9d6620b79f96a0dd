import { mixBits, type Runtime, type Tensor } from "@tt-rec/tensor";
import { checkIndices, type Lookup, NO_ROW, type OverlaidLookup } from "@tt-rec/tt-kernels";
import { ttCacheModule } from "./generated/tt-cache-module.ts";

/** A lookup whose cached positions are known. In a step, its lists may lie in scratch memory, and die with the step. */
export interface Probed extends OverlaidLookup {
  /** The ids that are not cached, by position. */
  readonly missed: Uint32Array;
}

const canShare = typeof SharedArrayBuffer !== "undefined";

/**
 * A map from row id to slot on the heap, where kernels read it, and counters of the accesses of each slot: open addressing
 * with linear probing over pairs (id, slot), at most a quarter full, so that few ids meet another on the way to theirs.
 */
export class SlotTable {
  readonly #runtime: Runtime;
  readonly #pairs: Tensor;
  readonly #accesses: Tensor;
  readonly #mask: number;
  readonly #probe: number;
  readonly #pairWords: () => Uint32Array;
  readonly #accessWords: () => Uint32Array;

  /** Makes room for `capacity` slots. */
  constructor(runtime: Runtime, capacity: number) {
    this.#runtime = runtime;
    const pairs = SlotTable.pairsFor(capacity);
    this.#pairs = runtime.tensor([pairs, 2]);
    this.#accesses = runtime.tensor([capacity]);
    this.#pairWords = wordsOf(this.#pairs);
    this.#accessWords = wordsOf(this.#accesses);
    this.#mask = pairs - 1;
    this.#probe = runtime.host.load(ttCacheModule).get("probeRows") as number;
    this.clear();
  }

  /** Number of pairs for so many slots. */
  static pairsFor(capacity: number): number {
    return 2 ** Math.ceil(Math.log2(4 * capacity));
  }

  /** Bytes of the map and the counters. */
  get bytes(): number {
    return 4 * (this.#pairs.size + this.#accesses.size);
  }

  /** Accesses of each slot since they were last taken, as a view that dies when the heap grows. */
  get accesses(): Uint32Array {
    return this.#accessWords();
  }

  /** The slot of an id, or `NO_ROW`. */
  slotOf(id: number): number {
    const pairs = this.#pairWords();
    return pairs[2 * this.#find(pairs, id) + 1];
  }

  /** Maps an id to a slot. Returns the one that it had, or `NO_ROW`. */
  set(id: number, slot: number): number {
    const pairs = this.#pairWords();
    const at = this.#find(pairs, id);
    const before = pairs[2 * at + 1];
    pairs[2 * at] = id;
    pairs[2 * at + 1] = slot;
    return before;
  }

  /** Forgets an id, and moves back what had to give way to it. */
  delete(id: number): void {
    const pairs = this.#pairWords();
    const mask = this.#mask;
    let hole = this.#find(pairs, id);
    if (pairs[2 * hole + 1] === NO_ROW) return;
    for (let at = (hole + 1) & mask; pairs[2 * at + 1] !== NO_ROW; at = (at + 1) & mask) {
      // A pair may fill the hole if that is not before its own place.
      const home = this.#homeOf(pairs[2 * at]);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      pairs[2 * hole] = pairs[2 * at];
      pairs[2 * hole + 1] = pairs[2 * at + 1];
      hole = at;
    }
    pairs[2 * hole + 1] = NO_ROW;
  }

  /** Forgets all ids and all accesses. */
  clear(): void {
    this.#pairWords().fill(NO_ROW);
    this.accesses.fill(0);
  }

  /**
   * Tells which positions of a lookup are cached, and counts their accesses if `counts`. Throws `E_INDEX` before that if an id is not
   * below `extent`, which is left out where they are known to be.
   */
  probe(lookup: Lookup, counts: boolean, extent = 0): Probed {
    if (this.#runtime.backend === "wasm") return this.#probeOnKernel(lookup, counts, extent);
    if (extent > 0) checkIndices(lookup.rows, extent);
    return this.#probeInPlace(lookup, counts);
  }

  /** Frees the memory. */
  dispose(): void {
    this.#pairs.dispose();
    this.#accesses.dispose();
  }

  #probeOnKernel(lookup: Lookup, counts: boolean, extent: number): Probed {
    const { host } = this.#runtime;
    // Lists in the scratch memory of a step are read there by the kernels that follow. A memory that is not shared may move.
    const stays = this.#runtime.isStepOpen && canShare && host.memory.buffer instanceof SharedArrayBuffer;
    const workspace = host.enter();
    try {
      const reserve = (bytes: number): number => (stays ? this.#runtime.reserve(bytes) : workspace.reserve(bytes));
      const count = lookup.rows.length;
      const at = reserve(4 * count + 12);
      host.words.set(lookup.rows, at / 4);
      const slots = reserve(4 * count + 12);
      // Each list may be written one beyond its end.
      const [laid, below, missed] = [reserve(4 * count + 4), reserve(4 * count + 4), reserve(4 * count + 4)];
      const accesses = counts ? this.#accesses.byteOffset : 0;
      const { byteOffset } = this.#pairs;
      const record = workspace.record([at, count, byteOffset, this.#mask, slots, laid, below, missed, accesses, 0, extent, 0]);
      host.runNow({ kernel: this.#probe, args: record, units: 1, grain: 1 });
      // The kernel sees that an id is too large, and this one tells which.
      if (host.words[record / 4 + 11] === 1) checkIndices(lookup.rows, extent);
      const hits = host.words[record / 4 + 9];
      const list = (offset: number, length: number): Uint32Array =>
        stays ? new Uint32Array(host.memory.buffer, offset, length) : host.words.slice(offset / 4, offset / 4 + length);
      return {
        lookup: stays ? withRows(lookup, list(at, count)) : lookup,
        slots: list(slots, count),
        laid: list(laid, hits),
        below: list(below, count - hits),
        missed: list(missed, count - hits),
      };
    } finally {
      host.leave();
    }
  }

  /** The oracle of the kernel. */
  #probeInPlace(lookup: Lookup, counts: boolean): Probed {
    const slots = lookup.rows.map((id) => this.slotOf(id));
    const positions = slots.map((_, p) => p);
    const laid = positions.filter((p) => slots[p] !== NO_ROW);
    const { accesses } = this;
    if (counts) for (const p of laid) accesses[slots[p]]++;
    const below = positions.filter((p) => slots[p] === NO_ROW);
    return { lookup, slots, laid, below, missed: below.map((p) => lookup.rows[p]) };
  }

  /** Where the search for an id begins: at an even pair, as the kernel has it. */
  #homeOf(id: number): number {
    return mixBits(id) & this.#mask & ~1;
  }

  /** The pair of an id, or the free pair where it belongs. */
  #find(pairs: Uint32Array, id: number): number {
    let at = this.#homeOf(id);
    while (pairs[2 * at + 1] !== NO_ROW && pairs[2 * at] !== id) at = (at + 1) & this.#mask;
    return at;
  }
}

/** Written out, because spreading an object takes longer. */
function withRows({ outputs, offsets, coefficients, weightFactors }: Lookup, rows: Uint32Array): Lookup {
  return { outputs, rows, offsets, coefficients, weightFactors };
}

/** A tensor's numbers as words: a view that is made anew only if the heap has grown since. */
function wordsOf({ memory, byteOffset, size }: Tensor): () => Uint32Array {
  let words = new Uint32Array(memory.buffer, byteOffset, size);
  return () => {
    if (words.buffer !== memory.buffer) words = new Uint32Array(memory.buffer, byteOffset, size);
    return words;
  };
}
