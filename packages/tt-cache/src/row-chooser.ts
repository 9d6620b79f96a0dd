import type { NamedTensors, Runtime } from "@tt-rec/tensor";
import { AccessLog } from "./access-log.ts";
import { type CachePolicy, type CachePolicyName, resolvePolicy } from "./cache-policy.ts";
import { readProgress, writeProgress } from "./choice-state.ts";
import type { Slots } from "./entering.ts";
import { RefreshSchedule, type RefreshScheduleOptions, type ScheduleMemory } from "./refresh-schedule.ts";
import { type ChoiceBasis, type ChosenRows, type FinishedChoice, RowChoice } from "./row-choice.ts";
import type { RowCounter } from "./row-counter.ts";
import { checkBelow, checkIds, readVector, readWords, vectorOf } from "./state-vectors.ts";

/** Nanoseconds of work on a choice of rows in a step: about a step of a small batch. And accesses that are counted later in a step. */
const PORTION = 370_000;
const LATER_COUNTS = 2 ** 13;

const MAX_COUNT = 0xffffffff;

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
  /** Whether a look was due while another was under way, or its rows were entering. */
  #isOverdue = false;
  /** The choice under way, and the accesses since it began. */
  #choice: RowChoice | undefined;
  readonly #log = new AccessLog();

  /**
   * Starts with accesses of each row that are known beforehand, if there are any; then there is nothing to wait for. Throws `E_OPTION`
   * on an unknown policy or a bad schedule. With a runtime, its kernels count.
   */
  constructor(
    policy: CachePolicyName | CachePolicy,
    schedule: RefreshScheduleOptions,
    capacity: number,
    accessCounts?: ArrayLike<number>,
    runtime?: Runtime,
  ) {
    this.policy = resolvePolicy(policy);
    this.#capacity = capacity;
    const atOnce = this.policy.fills === "at once" || accessCounts !== undefined;
    this.#schedule = new RefreshSchedule({ ...schedule, ...(atOnce && { warmupSteps: schedule.warmupSteps ?? 1 }) }, capacity);
    this.#counter = this.policy.createCounter(capacity, runtime);
    if (accessCounts === undefined) return;
    const counts = Uint32Array.from(accessCounts, (count) => Math.min(MAX_COUNT, count));
    const ids = counts.map((_, id) => id).filter((id) => counts[id] > 0);
    this.#counter.addEach(
      ids,
      ids.map((id) => counts[id]),
    );
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#counter.bytes + this.#candidates.byteLength + this.#log.ids.byteLength + (this.#choice?.bytes ?? 0);
  }

  /** Training steps counted. */
  get step(): number {
    return this.#step;
  }

  /** Whether rows are being chosen, or accesses wait to be counted. */
  get isBusy(): boolean {
    return this.#choice !== undefined || this.#log.ids.length > 0;
  }

  /**
   * Counts a training batch: the accesses of rows that are not held, and the number of all. Those of rows that are held are counted
   * by slot, and added when rows are looked for. While rows are chosen, accesses wait.
   */
  observe(others: Uint32Array, lookups: number): void {
    if (this.#choice === undefined) this.#counter.observe(others);
    else this.#log.append(others);
    this.#schedule.observe(lookups, others.length);
  }

  /** Adds accesses of rows that were held. No row may leave while rows are chosen. */
  count(ids: Uint32Array, accesses: Uint32Array): void {
    this.#counter.addEach(ids, accesses);
  }

  /**
   * Counts a training step, and begins or goes on with a choice of rows. Returns those that the cache is to hold from now on, once they
   * are found; `takeAccesses` takes the accesses of the slots when a choice begins. None does unless the last one's rows have
   * entered, and all accesses are counted; one that is due before begins right after.
   */
  endStep(slots: Slots, isEntering: boolean, takeAccesses: () => Uint32Array): FinishedChoice | undefined {
    this.#step++;
    this.#isOverdue = this.#schedule.isDue(this.#step, this.#filled) || this.#isOverdue;
    if (this.#choice === undefined) {
      if (this.#log.ids.length > 0) this.#log.replay(this.#counter, LATER_COUNTS);
      else if (this.#isOverdue && !isEntering) {
        this.#isOverdue = false;
        const { hasMoved } = this.#schedule;
        this.#schedule.restart();
        this.#choice = new RowChoice(this.#basis, { hasMoved, accesses: takeAccesses(), counted: 0, pieces: 0 });
      }
    }
    const chosen = this.#choice?.advance(slots, PORTION);
    if (chosen === undefined) return undefined;
    this.#choice = undefined;
    return this.#take(chosen) ? chosen : undefined;
  }

  /** Says whether the cache is to take chosen rows: those of a refresh, or of a first fill if they are to be taken yet. */
  #take({ rows, kept }: ChosenRows): boolean {
    if (this.#filled) {
      this.#schedule.countRefresh(rows.length - kept);
      return true;
    }
    this.#filled = this.#schedule.acceptFill(rows.length, kept);
    this.#candidates = this.#filled ? new Uint32Array(0) : rows;
    return this.#filled;
  }

  get #basis(): ChoiceBasis {
    const basis = { policy: this.policy, capacity: this.#capacity, counter: this.#counter };
    return this.#filled ? basis : { ...basis, candidates: this.#candidates };
  }

  /** Frees the counter. */
  dispose(): void {
    this.#counter.dispose?.();
  }

  /** Counter, step and schedule by name. */
  state(): NamedTensors {
    return new Map([
      ["cache.step", vectorOf(Uint32Array.of(this.#step))],
      [
        "counter.schedule",
        vectorOf(Uint32Array.of(Number(this.#filled) + 2 * Number(this.#isOverdue), ...this.#schedule.memory)),
      ],
      ["counter.candidates", vectorOf(this.#candidates)],
      ...this.#counter.state(),
      ...(this.#log.ids.length > 0 ? ([["counter.later", vectorOf(this.#log.ids)]] as const) : []),
      ...(this.#choice === undefined ? [] : writeProgress(this.#choice.progress)),
    ]);
  }

  /** Goes on from a state, in a chooser that has counted nothing. Throws `E_MISMATCH` on a state that is not one of such a cache. */
  load(state: NamedTensors, numEmbeddings: number): void {
    const [step] = readWords(state, "cache.step", 1);
    const [flags, ...schedule] = readWords(state, "counter.schedule", 6);
    const candidates = readVector(state, "counter.candidates");
    checkIds("counter.candidates", candidates, numEmbeddings);
    this.#counter.load(state, numEmbeddings);
    this.#step = step;
    this.#filled = (flags & 1) > 0;
    this.#isOverdue = (flags & 2) > 0;
    this.#candidates = candidates.slice();
    this.#schedule.memory = schedule as unknown as ScheduleMemory;
    if (state.has("counter.later")) {
      const later = readVector(state, "counter.later");
      checkBelow("counter.later", later, numEmbeddings);
      this.#log.append(later);
    }
    const progress = readProgress(state, this.#capacity, numEmbeddings);
    if (progress !== undefined) this.#choice = new RowChoice(this.#basis, progress);
  }
}
