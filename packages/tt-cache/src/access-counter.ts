import { IdIndex, type NamedTensors, TtError } from "@tt-rec/tensor";
import type { RankedRows } from "./rank-rows.ts";
import type { CountsApart, RowCounter } from "./row-counter.ts";
import { finish, inBlocks, SEARCH, type SpreadWork } from "./spread-work.ts";
import { checkIds, readVector, vectorOf } from "./state-vectors.ts";
import { takeApart, takeMoreCounted } from "./take-apart.ts";
import { mostCounted } from "./top-rows.ts";

const MAX_COUNT = 0xffffffff;

/** Exact access counts of row ids; memory grows with the number of distinct ids seen. */
export class AccessCounter implements RowCounter {
  #index = new IdIndex();
  #counts = new Uint32Array(8);
  #total = 0;

  /** Number of distinct ids seen. */
  get size(): number {
    return this.#index.size;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#index.bytes + this.#counts.byteLength;
  }

  /** The ids seen, in order of first access, as a view. */
  get ids(): Uint32Array {
    return this.#index.ids;
  }

  /** Their counts, as a view. */
  get counts(): Uint32Array {
    return this.#counts.subarray(0, this.#index.size);
  }

  /** Sum of all counts. */
  get total(): number {
    return this.#total;
  }

  /** Adds one access for each id; counts stop at 2^32 − 1. */
  observe(ids: Uint32Array): void {
    for (let i = 0; i < ids.length; i++) this.add(ids[i], 1);
  }

  addEach(ids: Uint32Array, counts: Uint32Array): void {
    for (let i = 0; i < ids.length; i++) this.add(ids[i], counts[i]);
  }

  /** Adds `count` accesses of one id. */
  add(id: number, count: number): void {
    const number = this.#index.add(id);
    if (number >= this.#counts.length) {
      const counts = new Uint32Array(this.#counts.length * 2);
      counts.set(this.#counts);
      this.#counts = counts;
    }
    const sum = Math.min(MAX_COUNT, this.#counts[number] + count);
    this.#total += sum - this.#counts[number];
    this.#counts[number] = sum;
  }

  /** Halves all counts, rounding down, and forgets the ids that are left with none (TinyLFU's reset). */
  halve(): void {
    finish(this.aging());
  }

  *aging(): SpreadWork<void> {
    const [ids, counts] = [this.ids, this.counts];
    const halved = new AccessCounter();
    yield* inBlocks(
      ids.length,
      (begin, end) => {
        for (let number = begin; number < end; number++) if (counts[number] > 1) halved.add(ids[number], counts[number] >>> 1);
      },
      2 * SEARCH,
    );
    this.#index = halved.#index;
    this.#counts = halved.#counts;
    this.#total = halved.#total;
  }

  /** Accesses of an id so far. */
  count(id: number): number {
    const number = this.#index.numberOf(id);
    return number < 0 ? 0 : this.#counts[number];
  }

  /** The `k` most accessed ids, most accessed first; equal counts go by the smaller id, so the answer is unique. */
  top(k: number): Uint32Array {
    return finish(this.ranking(k)).ids;
  }

  ranking(k: number): SpreadWork<RankedRows> {
    return mostCounted(this.ids, this.counts, k);
  }

  apart(some: Uint32Array): SpreadWork<CountsApart> {
    const { ids, counts } = this;
    const find = (each: Uint32Array): Uint32Array => Uint32Array.from(each, (id) => this.#index.numberOf(id));
    return takeApart({ counts, find, take: (...block) => takeMoreCounted({ ids, counts }, ...block) }, some);
  }

  /** The ids in order of first access, and their counts. */
  state(): NamedTensors {
    return new Map([
      ["counter.ids", vectorOf(this.ids)],
      ["counter.counts", vectorOf(this.counts)],
    ]);
  }

  /** Goes on from a state, into a counter that has counted nothing. Throws `E_MISMATCH` if ids repeat or are not below `numEmbeddings`. */
  load(state: NamedTensors, numEmbeddings: number): void {
    const ids = readVector(state, "counter.ids");
    const counts = readVector(state, "counter.counts");
    if (ids.length !== counts.length) {
      throw new TtError("E_MISMATCH", `the state has ${ids.length} counted ids and ${counts.length} counts`);
    }
    checkIds("counter.ids", ids, numEmbeddings);
    this.addEach(ids, counts);
  }
}
