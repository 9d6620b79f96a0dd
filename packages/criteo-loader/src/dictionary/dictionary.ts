import { mix } from "../mix.ts";

/** Smallest table of slots; a power of two. */
const MIN_SLOTS = 1024;

/**
 * Maps the raw values of one id column to indices 1, 2, … in order of first appearance and counts them; index 0 is
 * the out-of-vocabulary id. Open addressing on typed arrays that double: 13 to 27 bytes an id once it is large.
 */
export class Dictionary {
  #slots: Uint32Array = new Uint32Array(MIN_SLOTS);
  #values: Uint32Array = new Uint32Array(MIN_SLOTS);
  #counts: Uint32Array = new Uint32Array(MIN_SLOTS);
  #size = 1;

  /** Number of indices, the out-of-vocabulary id included. */
  get cardinality(): number {
    return this.#size;
  }

  /** Counts one occurrence of a raw value and takes it up if it is new. */
  count(value: number): void {
    const slot = this.#find(value);
    let index = this.#slots[slot];
    if (index === 0) {
      index = this.#append(value, 0);
      this.#slots[slot] = index;
      if (4 * this.#size > 3 * this.#slots.length) this.#growSlots();
    }
    this.#counts[index]++;
  }

  /** Index of a raw value; 0 if it was not taken up. */
  index(value: number): number {
    return this.#slots[this.#find(value)];
  }

  /** Raw values in the order of their indices, from index 1. A view. */
  values(): Uint32Array {
    return this.#values.subarray(1, this.#size);
  }

  /** Occurrences of each index, from index 0. A view. */
  counts(): Uint32Array {
    return this.#counts.subarray(0, this.#size);
  }

  /** A dictionary without the values seen fewer than `minFrequency` times; their occurrences are index 0's. */
  without(minFrequency: number): Dictionary {
    if (minFrequency <= 1) return this;
    const kept = new Dictionary();
    for (let index = 0; index < this.#size; index++) {
      const count = this.#counts[index];
      if (index > 0 && count >= minFrequency) kept.#insert(this.#values[index], count);
      else kept.#counts[0] += count;
    }
    return kept;
  }

  /** Rebuilds a dictionary from its values in the order of their indices. Returns undefined if one is there twice. */
  static from(values: Uint32Array): Dictionary | undefined {
    const dictionary = new Dictionary();
    for (const value of values) {
      if (dictionary.index(value) !== 0) return undefined;
      dictionary.#insert(value, 0);
    }
    return dictionary;
  }

  #insert(value: number, count: number): void {
    this.#slots[this.#find(value)] = this.#append(value, count);
    if (4 * this.#size > 3 * this.#slots.length) this.#growSlots();
  }

  /** The slot that holds the value, or the free one where it belongs. */
  #find(value: number): number {
    const slots = this.#slots;
    const values = this.#values;
    const mask = slots.length - 1;
    let slot = mix(value) & mask;
    while (slots[slot] !== 0 && values[slots[slot]] !== value) slot = (slot + 1) & mask;
    return slot;
  }

  #append(value: number, count: number): number {
    if (this.#size === this.#values.length) {
      this.#values = grown(this.#values);
      this.#counts = grown(this.#counts);
    }
    this.#values[this.#size] = value;
    this.#counts[this.#size] = count;
    return this.#size++;
  }

  #growSlots(): void {
    const slots = new Uint32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let index = 1; index < this.#size; index++) {
      let slot = mix(this.#values[index]) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = index;
    }
    this.#slots = slots;
  }
}

function grown(array: Uint32Array): Uint32Array {
  const larger = new Uint32Array(2 * array.length);
  larger.set(array);
  return larger;
}
