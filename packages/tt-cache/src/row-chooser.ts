import { type NamedTensors, TtError } from "@tt-rec/tensor";
import { type CachePolicy, type CachePolicyName, resolvePolicy } from "./cache-policy.ts";
import { RefreshSchedule, type RefreshScheduleOptions } from "./refresh-schedule.ts";
import type { RowCounter } from "./row-counter.ts";
import { checkIds, readVector, vectorOf } from "./state-vectors.ts";

/** Decides which rows a cache holds, and when: the policy, its counter and the schedule of one cache, without the rows themselves. */
export class RowChooser {
  /** How it chooses. */
  readonly policy: CachePolicy;
  readonly #capacity: number;
  readonly #schedule: RefreshSchedule;
  readonly #counter: RowCounter;
  #step = 0;
  /** Rows chosen at the last look, while the cache waits for them to become stable. */
  #candidates: Uint32Array = new Uint32Array(0);
  #filled = false;

  /**
   * Starts with accesses of each row that are known beforehand, if there are any; then there is nothing to wait for. Throws `E_OPTION`
   * on an unknown policy or a bad schedule.
   */
  constructor(
    policy: CachePolicyName | CachePolicy,
    schedule: RefreshScheduleOptions,
    capacity: number,
    accessCounts?: ArrayLike<number>,
  ) {
    this.policy = resolvePolicy(policy);
    this.#capacity = capacity;
    const atOnce = this.policy.fills === "at once" || accessCounts !== undefined;
    this.#schedule = new RefreshSchedule({ ...schedule, ...(atOnce && { warmupSteps: schedule.warmupSteps ?? 1 }) }, capacity);
    this.#counter = this.policy.createCounter(capacity);
    if (accessCounts === undefined) return;
    for (let id = 0; id < accessCounts.length; id++) if (accessCounts[id] > 0) this.#counter.add(id, accessCounts[id]);
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#counter.bytes + this.#candidates.byteLength;
  }

  /** Training steps counted. */
  get step(): number {
    return this.#step;
  }

  /**
   * Counts a training batch: the accesses of rows that are not held, and the number of all. Those of rows that are held are counted
   * by slot, and added when rows are looked for.
   */
  observe(others: Uint32Array, lookups: number): void {
    this.#counter.observe(others);
    this.#schedule.observe(lookups);
  }

  /** Adds accesses of a row that is or was held. */
  readonly count = (id: number, accesses: number): void => this.#counter.add(id, accesses);

  /**
   * Counts a training step. Returns the rows that the cache is to hold from now on, if it is to refresh at the step's end;
   * `countHeld` then adds the accesses of the rows held, and tells which they are.
   */
  endStep(countHeld: () => Uint32Array): Uint32Array | undefined {
    this.#step++;
    if (!this.#schedule.isDue(this.#step, this.#filled)) return undefined;
    const held = countHeld();
    if (!this.#filled) return this.#fill();
    const rows = this.policy.selectRows(this.#counter, this.#capacity, held);
    this.#schedule.countRefresh(rows.length - countCommon(held, rows));
    return rows;
  }

  /** The rows of the first fill, if they are to be taken yet. */
  #fill(): Uint32Array | undefined {
    const rows = this.policy.selectRows(this.#counter, this.#capacity, new Uint32Array(0));
    this.#filled = this.#schedule.acceptFill(rows.length, countCommon(this.#candidates, rows));
    this.#candidates = this.#filled ? new Uint32Array(0) : rows;
    return this.#filled ? rows : undefined;
  }

  /** Counter, step and schedule by name. */
  state(): NamedTensors {
    return new Map([
      ["cache.step", vectorOf(Uint32Array.of(this.#step))],
      ["counter.schedule", vectorOf(Uint32Array.of(this.#filled ? 1 : 0, ...this.#schedule.memory))],
      ["counter.candidates", vectorOf(this.#candidates)],
      ...this.#counter.state(),
    ]);
  }

  /** Goes on from a state, in a chooser that has counted nothing. Throws `E_MISMATCH` on a state that is not one of such a cache. */
  load(state: NamedTensors, numEmbeddings: number): void {
    const [step] = readWords(state, "cache.step", 1);
    const [filled, accesses, steps, interval] = readWords(state, "counter.schedule", 4);
    const candidates = readVector(state, "counter.candidates");
    checkIds("counter.candidates", candidates, numEmbeddings);
    this.#counter.load(state, numEmbeddings);
    this.#step = step;
    this.#filled = filled > 0;
    this.#candidates = candidates.slice();
    this.#schedule.memory = [accesses, steps, interval];
  }
}

function readWords(state: NamedTensors, name: string, count: number): Uint32Array {
  const words = readVector(state, name);
  if (words.length !== count) throw new TtError("E_MISMATCH", `${name} has ${words.length} elements, ${count} were expected`);
  return words;
}

/** How many ids are in both of two lists of distinct ids. */
function countCommon(one: Uint32Array, other: Uint32Array): number {
  const ids = new Set(one);
  return other.reduce((count, id) => count + (ids.has(id) ? 1 : 0), 0);
}
