import { IdIndex } from "@tt-rec/tensor";

/**
 * Maps the raw values of one id column to indices 1, 2, … in order of first appearance and counts them; index 0 is
 * the out-of-vocabulary id. 16 to 32 bytes an id once it is large.
 */
export class Dictionary {
  readonly #index = new IdIndex();
  #counts: Uint32Array = new Uint32Array(1024);

  /** Number of indices, the out-of-vocabulary id included. */
  get cardinality(): number {
    return this.#index.size + 1;
  }

  /** Counts one occurrence of a raw value and takes it up if it is new. */
  count(value: number): void {
    this.#add(value, 1);
  }

  /** Index of a raw value; 0 if it was not taken up. */
  index(value: number): number {
    return this.#index.numberOf(value) + 1;
  }

  /** Raw values in the order of their indices, from index 1. A view. */
  values(): Uint32Array {
    return this.#index.ids;
  }

  /** Occurrences of each index, from index 0. A view. */
  counts(): Uint32Array {
    return this.#counts.subarray(0, this.cardinality);
  }

  /** A dictionary without the values seen fewer than `minFrequency` times; their occurrences are index 0's. */
  without(minFrequency: number): Dictionary {
    if (minFrequency <= 1) return this;
    const kept = new Dictionary();
    kept.#counts[0] = this.#counts[0];
    for (const [number, value] of this.#index.ids.entries()) {
      const count = this.#counts[number + 1];
      if (count >= minFrequency) kept.#add(value, count);
      else kept.#counts[0] += count;
    }
    return kept;
  }

  /** Rebuilds a dictionary from its values in the order of their indices. Returns undefined if one is there twice. */
  static from(values: Uint32Array): Dictionary | undefined {
    const dictionary = new Dictionary();
    for (const value of values) dictionary.#add(value, 0);
    return dictionary.cardinality === values.length + 1 ? dictionary : undefined;
  }

  #add(value: number, count: number): void {
    const index = this.#index.add(value) + 1;
    if (index >= this.#counts.length) {
      const larger = new Uint32Array(2 * this.#counts.length);
      larger.set(this.#counts);
      this.#counts = larger;
    }
    this.#counts[index] += count;
  }
}
