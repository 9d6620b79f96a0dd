import type { NamedTensors } from "@tt-rec/tensor";
import { AccessCounter, type CachePolicy, type RowCounter } from "@tt-rec/tt-cache";

/**
 * The refresh of the CUDA reference (FBTT-Embedding), without the defects of its code: rows go by counts that never age; the rows that
 * were not chosen lose theirs, so those in the cache are hard to overtake; all rows are loaded anew from the cores.
 */
export const FBTT_POLICY: CachePolicy = {
  keepsRows: false,
  createCounter: () => new ForgetfulCounter(),
  selectRows(counter: ForgetfulCounter, capacity) {
    const rows = counter.top(capacity);
    counter.retain(rows);
    return rows;
  },
};

/** Exact counts, of which all but those of some rows can be forgotten. */
class ForgetfulCounter implements RowCounter {
  #counts = new AccessCounter();

  get bytes(): number {
    return this.#counts.bytes;
  }

  get total(): number {
    return this.#counts.total;
  }

  observe(ids: Uint32Array): void {
    this.#counts.observe(ids);
  }

  count(id: number): number {
    return this.#counts.count(id);
  }

  halve(): void {
    this.#counts.halve();
  }

  top(k: number): Uint32Array {
    return this.#counts.top(k);
  }

  retain(rows: Uint32Array): void {
    const before = this.#counts;
    this.#counts = new AccessCounter();
    for (const row of rows) this.#counts.add(row, before.count(row));
  }

  state(): NamedTensors {
    return this.#counts.state();
  }

  load(state: NamedTensors, numEmbeddings: number): void {
    this.#counts.load(state, numEmbeddings);
  }
}
