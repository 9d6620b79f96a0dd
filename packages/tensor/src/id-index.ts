import { mixBits } from "./mix-bits.ts";

/** Marks a free slot; no id has this number, since that would take 2^32 of them. */
const FREE = 0xffffffff;

/**
 * Numbers distinct unsigned 32-bit ids 0, 1, 2, … in the order in which they are added: an open-addressing hash table on
 * typed arrays that double, 12 to 24 bytes an id.
 */
export class IdIndex {
  #slots: Uint32Array;
  #ids: Uint32Array;
  #size = 0;

  /** Makes room for `capacity` ids; it grows beyond. */
  constructor(capacity = 8) {
    this.#ids = new Uint32Array(Math.max(1, capacity));
    this.#slots = new Uint32Array(slotsFor(this.#ids.length)).fill(FREE);
  }

  /** Number of ids. */
  get size(): number {
    return this.#size;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#slots.byteLength + this.#ids.byteLength;
  }

  /** The ids in order of their numbers, as a view. */
  get ids(): Uint32Array {
    return this.#ids.subarray(0, this.#size);
  }

  /** The number of an id, or −1 if it was not added. */
  numberOf(id: number): number {
    const number = this.#slots[this.#find(id)];
    return number === FREE ? -1 : number;
  }

  /** The number of an id, which is added if it is new. */
  add(id: number): number {
    let slot = this.#find(id);
    if (this.#slots[slot] !== FREE) return this.#slots[slot];
    if (this.#size === this.#ids.length) {
      this.#grow();
      slot = this.#find(id);
    }
    this.#ids[this.#size] = id;
    this.#slots[slot] = this.#size;
    return this.#size++;
  }

  /** The slot that holds an id, or the free slot where it belongs; linear probing. */
  #find(id: number): number {
    const mask = this.#slots.length - 1;
    let slot = mixBits(id) & mask;
    while (this.#slots[slot] !== FREE && this.#ids[this.#slots[slot]] !== id) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const ids = new Uint32Array(this.#ids.length * 2);
    ids.set(this.#ids);
    this.#ids = ids;
    this.#slots = new Uint32Array(slotsFor(ids.length)).fill(FREE);
    for (let number = 0; number < this.#size; number++) this.#slots[this.#find(ids[number])] = number;
  }
}

/** A power of two that stays at most half full. */
function slotsFor(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(capacity * 2));
}
