import { mixBits, type NamedTensors, type Runtime, TtError } from "@tt-rec/tensor";
import { CounterPlaces, countingRuntime, countOnKernel, findOnKernel, halveOnKernel, takeOnKernel } from "./counter-places.ts";
import type { RankedRows } from "./rank-rows.ts";
import type { CountsApart, RowCounter } from "./row-counter.ts";
import { finish, inPlaces, type SpreadWork } from "./spread-work.ts";
import { checkIds, readVector, vectorOf } from "./state-vectors.ts";
import { type CountedPlaces, takeApart, takeMoreCounted } from "./take-apart.ts";
import { mostCounted } from "./top-rows.ts";

/** Marks a free place; no id has this number, since that would take 2^32 of them. */
const FREE = 0xffffffff;

/** Places of a set: the ids of a set fill half a cache line. */
const WAYS = 8;

const MAX_COUNT = 0xffffffff;

/** Halves some counts from one array into another; ids that are left with none lose their places. */
function halvePlaces(from: CounterPlaces, to: CounterPlaces, begin: number, end: number): void {
  const { ids, counts } = from;
  const { ids: toIds, counts: toCounts } = to;
  for (let at = begin; at < end; at++) {
    const count = counts[at] >>> 1;
    toCounts[at] = count;
    toIds[at] = count === 0 ? FREE : ids[at];
  }
}

/**
 * Access counts of the ids that are accessed most, in a fixed number of bytes: an id has eight places to be counted in, given by a
 * hash, and a new one takes the place of the least counted. 8 bytes a place.
 */
export class SetCounter implements RowCounter {
  readonly #sets: number;
  readonly #runtime: Runtime | undefined;
  #places: CounterPlaces;
  /** Where aging writes. */
  #aged: CounterPlaces | undefined;
  #total = 0;

  /** Makes room for `places` counts, rounded up to whole sets of eight; with a runtime, on its heap and counted by its kernels. */
  constructor(places: number, runtime?: Runtime) {
    this.#sets = Math.ceil(places / WAYS);
    this.#runtime = countingRuntime(runtime);
    this.#places = this.#newPlaces();
    this.#ids.fill(FREE);
  }

  /** Bytes held: twice as many while it ages. */
  get bytes(): number {
    const arrays = this.#aged === undefined ? [this.#places] : [this.#places, this.#aged];
    return arrays.reduce((sum, { ids, counts }) => sum + ids.byteLength + counts.byteLength, 0);
  }

  /** Accesses observed, halved as often as the counts were; those of ids that lost their places are among them. */
  get total(): number {
    return this.#total;
  }

  /** Adds one access for each id; counts stop at 2^32 − 1. */
  observe(ids: Uint32Array): void {
    this.#total += ids.length;
    if (this.#runtime !== undefined) {
      countOnKernel(this.#runtime.host, ids, this.#places, this.#sets);
      return;
    }
    const [known, counts] = [this.#ids, this.#counts];
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i];
      const place = this.#placeFor(id);
      if (known[place] !== id) {
        known[place] = id;
        counts[place] = 1;
      } else if (counts[place] < MAX_COUNT) counts[place]++;
    }
  }

  addEach(ids: Uint32Array, counts: Uint32Array): void {
    const places = this.#placesOf(ids);
    const [known, sums] = [this.#ids, this.#counts];
    for (let i = 0; i < ids.length; i++) {
      const place = places[i];
      // An id may have taken the place of a later one.
      if (place >= known.length || known[place] !== ids[i]) this.add(ids[i], counts[i]);
      else {
        this.#total += counts[i];
        sums[place] = Math.min(MAX_COUNT, sums[place] + counts[i]);
      }
    }
  }

  /** Adds `count` accesses of one id, which takes another's place only if it is counted more. */
  add(id: number, count: number): void {
    this.#total += count;
    const place = this.#placeFor(id);
    if (this.#ids[place] === id) this.#counts[place] = Math.min(MAX_COUNT, this.#counts[place] + count);
    else if (count > this.#counts[place]) {
      this.#ids[place] = id;
      this.#counts[place] = Math.min(MAX_COUNT, count);
    }
  }

  /** Accesses of an id since it took its place. */
  count(id: number): number {
    const place = this.#placeFor(id);
    return this.#ids[place] === id ? this.#counts[place] : 0;
  }

  /** Halves all counts, rounding down; ids that are left with none lose their places. */
  halve(): void {
    finish(this.aging());
  }

  *aging(): SpreadWork<void> {
    this.#aged ??= this.#newPlaces();
    const [from, to] = [this.#places, this.#aged];
    const host = this.#runtime?.host;
    const halve = (begin: number, end: number): void => {
      if (host === undefined) halvePlaces(from, to, begin, end);
      else halveOnKernel(host, from, to, begin, end);
    };
    yield* inPlaces(to.ids.length, halve);
    this.#places.dispose();
    this.#places = this.#aged;
    this.#aged = undefined;
    this.#total = Math.floor(this.#total / 2);
  }

  /** The `k` most counted ids, most counted first; equal counts go by the smaller id, so the answer is unique. */
  top(k: number): Uint32Array {
    return finish(this.ranking(k)).ids;
  }

  ranking(k: number): SpreadWork<RankedRows> {
    return mostCounted(this.#ids, this.#counts, k);
  }

  apart(some: Uint32Array): SpreadWork<CountsApart> {
    const [places, runtime] = [this.#places, this.#runtime];
    const take: CountedPlaces["take"] =
      runtime === undefined
        ? (...block) => takeMoreCounted(places, ...block)
        : (...block) => takeOnKernel(runtime.host, places, ...block);
    return takeApart({ counts: places.counts, find: (ids) => this.#placesOf(ids), take }, some);
  }

  /** The ids and counts by place, and the total. */
  state(): NamedTensors {
    return new Map([
      ["counter.ids", vectorOf(this.#ids)],
      ["counter.counts", vectorOf(this.#counts)],
      ["counter.total", { dtype: "F64", shape: [1], data: Float64Array.of(this.#total) }],
    ]);
  }

  /** Goes on from a state. Throws `E_MISMATCH` if it has another size, or an id that is no row, stands twice or in a set not its own. */
  load(state: NamedTensors, numEmbeddings: number): void {
    const ids = readVector(state, "counter.ids");
    const counts = readVector(state, "counter.counts");
    const total = state.get("counter.total")?.data;
    const places = this.#ids.length;
    for (const [name, { length }] of [
      ["counter.ids", ids],
      ["counter.counts", counts],
    ] as const) {
      if (length !== places) throw new TtError("E_MISMATCH", `${name} has ${length} elements, the counter ${places} places`);
    }
    if (!(total instanceof Float64Array && total.length === 1)) {
      throw new TtError("E_MISMATCH", `the state has no number "counter.total"`, { tensor: "counter.total" });
    }
    checkIds(
      "counter.ids",
      ids.filter((id) => id !== FREE),
      numEmbeddings,
    );
    const misplaced = ids.findIndex((id, place) => id !== FREE && Math.floor(place / WAYS) * WAYS !== this.#setOf(id));
    if (misplaced >= 0) throw new TtError("E_MISMATCH", `counter.ids[${misplaced}] = ${ids[misplaced]} is in another id's set`);
    this.#ids.set(ids);
    this.#counts.set(counts);
    this.#total = total[0];
  }

  /** Frees what it has on the heap. */
  dispose(): void {
    this.#places.dispose();
    this.#aged?.dispose();
  }

  get #ids(): Uint32Array {
    return this.#places.ids;
  }

  get #counts(): Uint32Array {
    return this.#places.counts;
  }

  #newPlaces(): CounterPlaces {
    return new CounterPlaces(this.#sets * WAYS, this.#runtime);
  }

  /** The places of ids; those of ids that have none are beyond the end. */
  #placesOf(ids: Uint32Array): Uint32Array {
    if (this.#runtime !== undefined) return findOnKernel(this.#runtime.host, ids, this.#places, this.#sets);
    return ids.map((id) => {
      const place = this.#placeFor(id);
      return this.#ids[place] === id ? place : FREE;
    });
  }

  /** The place of an id, or else the one in its set that is counted least, the first of several. */
  #placeFor(id: number): number {
    const [known, counts] = [this.#ids, this.#counts];
    const begin = this.#setOf(id);
    let least = begin;
    for (let at = begin; at < begin + WAYS; at++) {
      if (known[at] === id) return at;
      if (counts[at] < counts[least]) least = at;
    }
    return least;
  }

  /** The first place of an id's set. */
  #setOf(id: number): number {
    return Math.floor(((mixBits(id) >>> 0) * this.#sets) / 2 ** 32) * WAYS;
  }
}
