import { mixBits, type NamedTensors } from "@tt-rec/tensor";
import type { RowCounter } from "../src/index.ts";

const HASHES = 4;
const MOST = 255;

/**
 * Counts by a count-min sketch with conservative updates, 8 bits each, and the ids that are counted most in a list beside it, since a
 * sketch does not know its ids. A rival of `SetCounter` at equal bytes.
 */
export class CountMinCounter implements RowCounter {
  readonly #cells: Uint8Array;
  readonly #width: number;
  readonly #listed: number;
  readonly #places = new Uint32Array(HASHES);
  #list = new Set<number>();
  #least = 0;
  total = 0;

  /** `bytes` for the sketch and 8 more for each of `listed` ids. */
  constructor(bytes: number, listed: number) {
    this.#width = Math.floor(bytes / HASHES);
    this.#cells = new Uint8Array(this.#width * HASHES);
    this.#listed = listed;
  }

  get bytes(): number {
    return this.#cells.length + 8 * this.#listed;
  }

  observe(ids: Uint32Array): void {
    for (const id of ids) this.#add(id, 1);
  }

  addEach(ids: Uint32Array, counts: Uint32Array): void {
    for (const [i, id] of ids.entries()) this.#add(id, counts[i]);
  }

  #add(id: number, count: number): void {
    this.total += count;
    const estimate = Math.min(MOST, this.count(id) + count);
    for (const place of this.#places) this.#cells[place] = Math.max(this.#cells[place], estimate);
    if (estimate > this.#least) this.#list.add(id);
    if (this.#list.size > 2 * this.#listed) this.#shorten();
  }

  count(id: number): number {
    let least = MOST;
    let hash = mixBits(id);
    for (let h = 0; h < HASHES; h++) {
      hash = mixBits((hash + 0x9e3779b9) | 0);
      const place = h * this.#width + Math.floor(((hash >>> 0) * this.#width) / 2 ** 32);
      this.#places[h] = place;
      least = Math.min(least, this.#cells[place]);
    }
    return least;
  }

  *aging(): ReturnType<RowCounter["aging"]> {
    yield this.#cells.length;
    for (let at = 0; at < this.#cells.length; at++) this.#cells[at] >>>= 1;
    this.total /= 2;
    this.#least >>>= 1;
  }

  *apart(some: Uint32Array): ReturnType<RowCounter["apart"]> {
    yield this.#list.size;
    const out = new Set(some);
    const rest = [...this.#list].filter((id) => !out.has(id));
    return { counts: this.#countsOf(some), others: (above) => this.#moreCounted(rest, above) };
  }

  *#moreCounted(rest: number[], above: number): ReturnType<RowCounter["ranking"]> {
    yield rest.length;
    const ids = Uint32Array.from(rest.filter((id) => this.count(id) > above));
    return { ids, counts: this.#countsOf(ids) };
  }

  #countsOf(ids: Uint32Array): Uint32Array {
    return ids.map((id) => this.count(id));
  }

  *ranking(k: number): ReturnType<RowCounter["ranking"]> {
    yield this.#list.size;
    const ids = Uint32Array.from(this.#ranked().slice(0, k));
    return { ids, counts: this.#countsOf(ids) };
  }

  state(): NamedTensors {
    return new Map();
  }

  load(): void {
    throw new Error("only simulated");
  }

  #ranked(): number[] {
    const counted = [...this.#list].map((id) => [id, this.count(id)] as const);
    return counted.sort(([a, m], [b, n]) => n - m || a - b).map(([id]) => id);
  }

  #shorten(): void {
    const ids = this.#ranked().slice(0, this.#listed);
    this.#list = new Set(ids);
    this.#least = this.count(ids[ids.length - 1]);
  }
}
