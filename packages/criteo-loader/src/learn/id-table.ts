import { mixBits } from "@tt-rec/tensor";

/** Slots are at most this full; 10.1 million ids, the most of a Kaggle column, fit into 2^24 slots. */
const FULLEST = 0.65;
const FIRST_SLOTS = 1 << 12;

/** Bytes that a table of this many ids takes at most: its slots, values and counts. */
export function tableBytes(ids: number, words: number): number {
  return slotsFor(ids) * 4 * (words + 1) + ids * 4 * (words + 1);
}

function slotsFor(ids: number): number {
  let slots = FIRST_SLOTS;
  while (ids > slots * FULLEST) slots *= 2;
  return slots;
}

/**
 * Numbers the raw ids of a column 1, 2, … in the order in which they are first seen, and counts them. Open addressing
 * with linear probing; a slot holds the raw id beside its index, so that most look-ups cost one cache line. Raw ids have
 * one word, or two.
 */
export class IdTable {
  /** Number of distinct ids. */
  size = 0;
  readonly #words: 1 | 2;
  readonly #maxBytes: number;
  /** Raw id and index of each slot; index 0 marks a free one. */
  #slots: Int32Array;
  /** Raw ids by index, from index 1. */
  #values: Int32Array = new Int32Array(0);
  /** Occurrences by index, from index 0. */
  #counts: Uint32Array = new Uint32Array(1);
  /** Ids from which on the table must grow. */
  #room = 0;

  /** A table that refuses to grow beyond `maxBytes`. */
  constructor(words: 1 | 2, maxBytes: number = Number.POSITIVE_INFINITY) {
    this.#words = words;
    this.#maxBytes = maxBytes;
    this.#slots = new Int32Array(FIRST_SLOTS * (words + 1));
    this.#fit(FIRST_SLOTS);
  }

  /** Raw ids in the order of their indices, from index 1, as unsigned words. A view. */
  values(): Uint32Array {
    return new Uint32Array(this.#values.buffer, 0, this.size * this.#words);
  }

  /** Occurrences of each index, from index 0. A view. */
  counts(): Uint32Array {
    return this.#counts.subarray(0, this.size + 1);
  }

  /**
   * Takes up and counts the first `ids` raw ids of `raw` and writes their indices. Returns how many it took: fewer only
   * if the next one would make the table exceed its bytes.
   */
  learn(raw: Int32Array, ids: number, indices: Int32Array): number {
    let done = 0;
    while (done < ids) {
      // Within this many ids the table cannot overflow, so the loops below need not look.
      const until = Math.min(ids, done + this.#room - this.size);
      if (this.#words === 1) this.#learnWords(raw, done, until, indices);
      else this.#learnPairs(raw, done, until, indices);
      done = until;
      if (this.size === this.#room && done < ids && !this.#grow()) break;
    }
    return done;
  }

  /** Writes the indices of the first `ids` raw ids of `raw`; 0 for those that were not taken up. */
  lookUp(raw: Int32Array, ids: number, indices: Int32Array): void {
    const slots = this.#slots;
    const stride = this.#words + 1;
    const mask = slots.length / stride - 1;
    for (let i = 0; i < ids; i++) {
      const low = raw[i * this.#words];
      const high = stride === 3 ? raw[2 * i + 1] : 0;
      let slot = (stride === 3 ? mixPair(low, high) : mixBits(low)) & mask;
      let index = slots[slot * stride + stride - 1];
      while (index !== 0 && (slots[slot * stride] !== low || (stride === 3 && slots[slot * stride + 1] !== high))) {
        slot = (slot + 1) & mask;
        index = slots[slot * stride + stride - 1];
      }
      indices[i] = index;
    }
  }

  #learnWords(raw: Int32Array, from: number, to: number, indices: Int32Array): void {
    const [slots, values, counts] = [this.#slots, this.#values, this.#counts];
    const mask = slots.length - 1;
    let size = this.size;
    for (let i = from; i < to; i++) {
      const value = raw[i];
      let at = (mixBits(value) << 1) & mask;
      let index = slots[at + 1];
      while (index !== 0 && slots[at] !== value) {
        at = (at + 2) & mask;
        index = slots[at + 1];
      }
      if (index === 0) {
        values[size++] = value;
        index = size;
        slots[at] = value;
        slots[at + 1] = index;
      }
      counts[index]++;
      indices[i] = index;
    }
    this.size = size;
  }

  #learnPairs(raw: Int32Array, from: number, to: number, indices: Int32Array): void {
    const [slots, values, counts] = [this.#slots, this.#values, this.#counts];
    const mask = slots.length / 3 - 1;
    let size = this.size;
    for (let i = from; i < to; i++) {
      const [low, high] = [raw[2 * i], raw[2 * i + 1]];
      let slot = mixPair(low, high) & mask;
      let index = slots[3 * slot + 2];
      while (index !== 0 && (slots[3 * slot] !== low || slots[3 * slot + 1] !== high)) {
        slot = (slot + 1) & mask;
        index = slots[3 * slot + 2];
      }
      if (index === 0) {
        values[2 * size] = low;
        values[2 * size + 1] = high;
        index = ++size;
        slots[3 * slot] = low;
        slots[3 * slot + 1] = high;
        slots[3 * slot + 2] = index;
      }
      counts[index]++;
      indices[i] = index;
    }
    this.size = size;
  }

  /** Doubles the table; false if that would exceed its bytes. */
  #grow(): boolean {
    const slots = (this.#slots.length / (this.#words + 1)) * 2;
    if (tableBytes(Math.floor(slots * FULLEST), this.#words) > this.#maxBytes) return false;
    this.#fit(slots);
    const [taken, counts] = [this.size, this.#counts.slice(0, this.size + 1)];
    // The values are in order: taking them up again gives them the same indices.
    this.size = 0;
    const stale = new Int32Array(taken);
    if (this.#words === 1) this.#learnWords(this.#values, 0, taken, stale);
    else this.#learnPairs(this.#values, 0, taken, stale);
    this.#counts.set(counts);
    return true;
  }

  #fit(slots: number): void {
    this.#slots = new Int32Array(slots * (this.#words + 1));
    this.#room = Math.floor(slots * FULLEST);
    const values = new Int32Array(this.#room * this.#words);
    values.set(this.#values.subarray(0, this.size * this.#words));
    this.#values = values;
    const counts = new Uint32Array(this.#room + 1);
    counts.set(this.#counts.subarray(0, this.size + 1));
    this.#counts = counts;
  }
}

/** Mixes two words into one. */
export function mixPair(low: number, high: number): number {
  return mixBits(low ^ mixBits(high ^ 0x9e3779b9));
}
