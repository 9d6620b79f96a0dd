/** Rows and their counts, the most counted first. */
interface RankedRows {
  readonly ids: Uint32Array;
  readonly counts: Uint32Array;
}

/** Work in pieces, which yields the cost of each. */
type SpreadWork<T> = Generator<number, T, undefined>;

/** Counts of some ids, and those of others that are counted more. */
interface CountsApart {
  readonly counts: Uint32Array;
  others(above: number): SpreadWork<RankedRows>;
}

/** Counts of row ids, as a cache's counter gives them. */
interface Counts<State> {
  readonly bytes: number;
  readonly total: number;
  observe(ids: Uint32Array): void;
  addEach(ids: Uint32Array, counts: Uint32Array): void;
  count(id: number): number;
  aging(): SpreadWork<void>;
  apart(some: Uint32Array): SpreadWork<CountsApart>;
  ranking(k: number): SpreadWork<RankedRows>;
  state(): State;
  load(state: State, numEmbeddings: number): void;
}

/** A policy on counters that can forget. */
export interface FbttPolicy<State> {
  readonly keepsRows: false;
  readonly fills: "when stable";
  createCounter(): ForgetfulCounter<State>;
  selectRows(counter: ForgetfulCounter<State>, capacity: number): SpreadWork<Uint32Array>;
}

/**
 * The refresh of the CUDA reference (FBTT-Embedding), without the defects of its code: counts never age; rows that are not chosen
 * lose theirs, so those in the cache are hard to overtake; all rows are loaded anew from the cores. A policy for
 * `@tt-rec/tt-cache`, on exact counters that `createCounts` makes.
 */
export function fbttPolicy<State>(createCounts: () => Counts<State>): FbttPolicy<State> {
  return {
    keepsRows: false,
    fills: "when stable",
    createCounter: () => new ForgetfulCounter(createCounts),
    *selectRows(counter, capacity) {
      const { ids } = yield* counter.ranking(capacity);
      counter.retain(ids);
      return ids;
    },
  };
}

/** Counts of which all but those of some rows can be forgotten. */
class ForgetfulCounter<State> implements Counts<State> {
  readonly #create: () => Counts<State>;
  #counts: Counts<State>;

  constructor(create: () => Counts<State>) {
    this.#create = create;
    this.#counts = create();
  }

  get bytes(): number {
    return this.#counts.bytes;
  }

  get total(): number {
    return this.#counts.total;
  }

  observe(ids: Uint32Array): void {
    this.#counts.observe(ids);
  }

  addEach(ids: Uint32Array, counts: Uint32Array): void {
    this.#counts.addEach(ids, counts);
  }

  count(id: number): number {
    return this.#counts.count(id);
  }

  aging(): SpreadWork<void> {
    return this.#counts.aging();
  }

  apart(some: Uint32Array): SpreadWork<CountsApart> {
    return this.#counts.apart(some);
  }

  ranking(k: number): SpreadWork<RankedRows> {
    return this.#counts.ranking(k);
  }

  retain(rows: Uint32Array): void {
    const before = this.#counts;
    this.#counts = this.#create();
    this.#counts.addEach(
      rows,
      rows.map((row) => before.count(row)),
    );
  }

  state(): State {
    return this.#counts.state();
  }

  load(state: State, numEmbeddings: number): void {
    this.#counts.load(state, numEmbeddings);
  }
}
