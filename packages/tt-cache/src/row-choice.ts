import { TtError } from "@tt-rec/tensor";
import { NO_ROW } from "@tt-rec/tt-kernels";
import type { CachePolicy } from "./cache-policy.ts";
import { countHeld, type Entering, findRows, planAll, planEntering, type Slots } from "./entering.ts";
import { areAmong } from "./id-set.ts";
import type { RankedRows } from "./rank-rows.ts";
import type { RowCounter } from "./row-counter.ts";
import { advance, MOVE, SEARCH, type SpreadWork } from "./spread-work.ts";

/** Nanoseconds to count the accesses of a slot. */
const COUNT = SEARCH + MOVE;

/** Rows that were chosen. */
export interface ChosenRows {
  readonly rows: Uint32Array;
  /** Those of them that were chosen or held before, and those that are held. */
  readonly kept: number;
  readonly held: number;
  /** What has to enter. */
  readonly entering: Entering;
}

/** The rows, and the share of the last step's work that choosing them left. */
export interface FinishedChoice extends ChosenRows {
  readonly spare: number;
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
  advance(slots: Slots, budget: number): FinishedChoice | undefined {
    let left = this.#count(slots, budget);
    if (left > 0 && this.#rows === undefined) left = this.#select(slots, left);
    if (left <= 0 || this.#rows === undefined) return undefined;
    const { result, left: spare } = this.#plan(slots, this.#rows, left);
    return result && { ...result, spare: Math.max(0, spare / budget) };
  }

  /** Counts the accesses of held rows. Returns what is left of the budget. */
  #count({ ids }: Slots, budget: number): number {
    const end = Math.min(this.#accesses.length, this.#counted + Math.ceil(budget / COUNT));
    const cost = COUNT * (end - this.#counted);
    const accessed = takeAccessed(ids, this.#accesses, this.#counted, end);
    this.#basis.counter.addEach(accessed.ids, accessed.counts);
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

  #plan(slots: Slots, rows: Uint32Array, budget: number): { result?: ChosenRows; left: number } {
    this.#planning ??= redo(this.#pieces, () => planRows(this.#basis, slots, rows));
    const { pieces, ...end } = advance(this.#planning, budget);
    this.#pieces += pieces;
    return end;
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

/** By methods of arrays, which are quick however seldom they run; a loop that runs once a refresh is compiled late. */
function heldIds({ ids }: Slots): Uint32Array {
  return ids.includes(NO_ROW) ? ids.filter((id) => id !== NO_ROW) : ids.slice();
}

function* planRows({ policy, candidates }: ChoiceBasis, slots: Slots, rows: Uint32Array): SpreadWork<ChosenRows> {
  const where = yield* findRows(slots, rows);
  const entering = yield* policy.keepsRows ? planEntering(rows, where, slots.ids.length) : planAll(rows);
  const held = where.found + countHeld(where.slotsOfOthers);
  const kept = candidates === undefined ? held : (yield* areAmong(rows, candidates)).reduce((sum, is) => sum + is, 0);
  return { rows, kept, held, entering };
}

/** The ids of some slots that were accessed, and how often. */
function takeAccessed(ids: Uint32Array, accesses: Uint32Array, begin: number, end: number): RankedRows {
  const accessed = { ids: new Uint32Array(end - begin), counts: new Uint32Array(end - begin) };
  let size = 0;
  for (let slot = begin; slot < end; slot++) {
    if (accesses[slot] === 0) continue;
    accessed.ids[size] = ids[slot];
    accessed.counts[size++] = accesses[slot];
  }
  return { ids: accessed.ids.subarray(0, size), counts: accessed.counts.subarray(0, size) };
}
