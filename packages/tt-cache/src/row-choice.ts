import { TtError } from "@tt-rec/tensor";
import { NO_ROW } from "@tt-rec/tt-kernels";
import type { CachePolicy } from "./cache-policy.ts";
import { countHeld, type Entering, planEntering } from "./entering.ts";
import { areAmong } from "./id-set.ts";
import type { RowCounter } from "./row-counter.ts";
import { advance, inBlocks, SEARCH, type SpreadWork } from "./spread-work.ts";

/** The slots of a cache, which nothing may change while rows are chosen. */
export interface Slots {
  /** Row id of each slot, `NO_ROW` for a free one. */
  readonly ids: Uint32Array;
  /** The slots of some ids, `NO_ROW` for those that are not held. */
  slotsOf(ids: Uint32Array): Uint32Array;
}

/** Rows that were chosen. */
export interface ChosenRows {
  readonly rows: Uint32Array;
  /** Those of them that were chosen or held before, and those that are held. */
  readonly kept: number;
  readonly held: number;
  /** What has to enter. */
  readonly entering: Entering;
}

/** What a choice is made from. */
export interface ChoiceBasis {
  readonly policy: CachePolicy;
  readonly capacity: number;
  readonly counter: RowCounter;
  /** The rows chosen at the last look, if the cache waits for them to become stable. */
  readonly candidates?: Uint32Array;
}

/** Where a choice stands: what it saves of itself. */
export interface ChoiceProgress {
  /** Whether accesses had moved when it began. */
  readonly hasMoved: boolean;
  /** Accesses of each slot, until they are counted. */
  readonly accesses: Uint32Array;
  /** Slots counted, and pieces of the work that follows. */
  readonly counted: number;
  readonly pieces: number;
  /** The rows, once they are chosen: then the pieces are those of finding what has to enter. */
  readonly rows?: Uint32Array;
}

/**
 * A choice of rows that is spread over steps. First the accesses of held rows are counted, then the policy chooses, then what has to
 * enter is found. Nothing else is counted meanwhile, so that the rows are those that would be chosen at once; and of a choice under
 * way its pieces need not be saved but only their number.
 */
export class RowChoice {
  readonly #basis: ChoiceBasis;
  readonly #hasMoved: boolean;
  #accesses: Uint32Array;
  #counted: number;
  #pieces: number;
  #rows: Uint32Array | undefined;
  #selecting: SpreadWork<Uint32Array> | undefined;
  #planning: SpreadWork<ChosenRows> | undefined;

  /** Begins with the accesses of the slots, or goes on. */
  constructor(basis: ChoiceBasis, { hasMoved, accesses, counted, pieces, rows }: ChoiceProgress) {
    this.#basis = basis;
    this.#hasMoved = hasMoved;
    this.#accesses = accesses;
    this.#counted = counted;
    this.#pieces = pieces;
    this.#rows = rows;
  }

  /** Bytes of what it saves of itself; the arrays of a piece of work are not among them. */
  get bytes(): number {
    return this.#accesses.byteLength + (this.#rows?.byteLength ?? 0);
  }

  /** What it takes to go on. */
  get progress(): ChoiceProgress {
    const [hasMoved, accesses, counted, pieces] = [this.#hasMoved, this.#accesses, this.#counted, this.#pieces];
    return { hasMoved, accesses, counted, pieces, ...(this.#rows && { rows: this.#rows }) };
  }

  /** Goes on until about so much work is done. Returns the rows at the end. */
  advance(slots: Slots, budget: number): ChosenRows | undefined {
    let left = this.#count(slots, budget);
    if (left > 0 && this.#rows === undefined) left = this.#select(slots, left);
    return left > 0 && this.#rows !== undefined ? this.#plan(slots, this.#rows, left) : undefined;
  }

  /** Counts the accesses of held rows. Returns what is left of the budget. */
  #count({ ids }: Slots, budget: number): number {
    const end = Math.min(this.#accesses.length, this.#counted + Math.ceil(budget / SEARCH));
    const cost = SEARCH * (end - this.#counted);
    const accessed = new Uint32Array(end - this.#counted);
    let size = 0;
    for (let slot = this.#counted; slot < end; slot++) if (this.#accesses[slot] > 0) accessed[size++] = slot;
    const slots = accessed.subarray(0, size);
    this.#basis.counter.addEach(
      slots.map((slot) => ids[slot]),
      slots.map((slot) => this.#accesses[slot]),
    );
    this.#counted = end;
    if (end === this.#accesses.length) [this.#accesses, this.#counted] = [new Uint32Array(0), 0];
    return budget - cost;
  }

  #select(slots: Slots, budget: number): number {
    const { policy, counter, capacity, candidates } = this.#basis;
    this.#selecting ??= redo(this.#pieces, () =>
      policy.selectRows(counter, capacity, candidates === undefined ? heldIds(slots) : new Uint32Array(0), this.#hasMoved),
    );
    const { left, pieces, result } = advance(this.#selecting, budget);
    this.#pieces += pieces;
    if (result !== undefined) [this.#rows, this.#pieces] = [result, 0];
    return left;
  }

  #plan(slots: Slots, rows: Uint32Array, budget: number): ChosenRows | undefined {
    this.#planning ??= redo(this.#pieces, () => planRows(this.#basis, slots, rows));
    const { pieces, result } = advance(this.#planning, budget);
    this.#pieces += pieces;
    return result;
  }
}

/** Begins work whose first pieces were done before. Throws `E_MISMATCH` if it has not so many. */
function redo<T>(pieces: number, begin: () => SpreadWork<T>): SpreadWork<T> {
  const work = begin();
  for (let piece = 0; piece < pieces; piece++) {
    if (work.next().done) throw new TtError("E_MISMATCH", `the state did ${pieces} pieces of a choice of rows that has ${piece}`);
  }
  return work;
}

function heldIds({ ids }: Slots): Uint32Array {
  const held = new Uint32Array(ids.length);
  let size = 0;
  for (let slot = 0; slot < ids.length; slot++) if (ids[slot] !== NO_ROW) held[size++] = ids[slot];
  return held.subarray(0, size);
}

function* planRows({ policy, candidates }: ChoiceBasis, slots: Slots, rows: Uint32Array): SpreadWork<ChosenRows> {
  const slotsOf = new Uint32Array(rows.length);
  // Rows that stay mostly come first, in the order of their slots; the others are searched for.
  let found = 0;
  yield* inBlocks(slots.ids.length, 1, (begin, end) => {
    for (let slot = begin; slot < end; slot++) if (slots.ids[slot] === rows[found]) slotsOf[found++] = slot;
  });
  const others = rows.subarray(found);
  const slotsOfOthers = slotsOf.subarray(found);
  yield* inBlocks(others.length, SEARCH, (begin, end) => slotsOfOthers.set(slots.slotsOf(others.subarray(begin, end)), begin));
  const entering = yield* planEntering(rows, slotsOf, policy.keepsRows);
  const held = countHeld(slotsOf);
  const kept = candidates === undefined ? held : (yield* areAmong(rows, candidates)).reduce((sum, is) => sum + is, 0);
  return { rows, kept, held, entering };
}
