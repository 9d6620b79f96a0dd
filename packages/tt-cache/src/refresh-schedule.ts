import { TtError } from "@tt-rec/tensor";

/** When a cache takes new rows, in training steps; what is absent follows from the accesses. */
export interface RefreshScheduleOptions {
  /**
   * The cache fills at the end of this step; before, every row comes from the cores. Default: 1, or, as the policy asks for it, when
   * the rows accessed most are stable; that is looked at each time that the accesses counted so far have doubled.
   */
  readonly warmupSteps?: number;
  /**
   * From then on it refreshes at the end of every step that is a multiple of this. Default: when as many accesses were counted as the
   * cache has rows, or 2, 4 or 8 times as many while refreshes change few rows, and no more often than every 10 steps; but at once when
   * many more accesses miss the cache than before.
   */
  readonly refreshEvery?: number;
}

/** The rows are stable if this share of them was chosen at the last look. */
const STABLE = 0.5;

/** Refreshes that change a smaller share of the rows become rarer, those that change a larger one more frequent. */
const FEW = 0.003;
const MANY = 0.015;

/** Most accesses a row, and fewest steps, between refreshes. */
const MOST_ACCESSES = 8;
const FEWEST_STEPS = 10;

/** Accesses have moved if the share of them that misses the cache rises by so much, and by so many standard deviations. */
const SURGE = 0.03;
const DEVIATIONS = 4;

/** The expected share is remembered in such parts of 1. */
const PARTS = 2 ** 16;

const MAX_COUNT = 0xffffffff;

/** Accesses, misses among them, and steps since the last look for rows, for how many accesses a row the next one waits, and the expected share of misses. */
export type ScheduleMemory = readonly [accesses: number, misses: number, steps: number, interval: number, expected: number];

/** Says at the end of which steps a cache looks for new rows. */
export class RefreshSchedule {
  readonly #warmupSteps: number | undefined;
  readonly #refreshEvery: number | undefined;
  readonly #capacity: number;
  /** Accesses and steps counted since the last look, and for how many accesses a row the next one waits. */
  #accesses = 0;
  #misses = 0;
  #steps = 0;
  #interval = 1;
  /** Share of the accesses that is expected to miss, in parts: all, before the cache has been of use. */
  #expected = PARTS;

  /** Throws `E_OPTION` on a number of steps that is not whole or below 1. */
  constructor({ warmupSteps, refreshEvery }: RefreshScheduleOptions, capacity: number) {
    for (const [name, steps] of Object.entries({ warmupSteps, refreshEvery })) {
      if (steps !== undefined && !(Number.isSafeInteger(steps) && steps >= 1)) {
        throw new TtError("E_OPTION", `${name} = ${steps} is not a whole number of at least 1`);
      }
    }
    this.#warmupSteps = warmupSteps;
    this.#refreshEvery = refreshEvery;
    this.#capacity = capacity;
  }

  /** Counts the accesses of a batch, and those of them that missed the cache. */
  observe(accesses: number, misses: number): void {
    this.#accesses = Math.min(MAX_COUNT, this.#accesses + accesses);
    this.#misses = Math.min(MAX_COUNT, this.#misses + misses);
  }

  /** Counts a step, the `step`-th, and says whether to look for new rows at its end. */
  isDue(step: number, filled: boolean): boolean {
    this.#steps = Math.min(MAX_COUNT, this.#steps + 1);
    const steps = filled ? this.#refreshEvery : this.#warmupSteps;
    if (steps === undefined) {
      const isTime = this.#accesses >= this.#interval * this.#capacity && (this.#steps >= FEWEST_STEPS || !filled);
      return isTime || (filled && this.hasMoved);
    }
    return filled ? step % steps === 0 : step >= steps;
  }

  /** Says whether the rows of a look are good for a first fill, if they and so many of them were chosen at the last look too. */
  acceptFill(rows: number, kept: number): boolean {
    if (this.#warmupSteps === undefined && (kept === 0 || kept < STABLE * rows)) {
      // The first look has none to compare with, the second comes after as many accesses again.
      this.#interval = kept === 0 ? 1 : 2 * this.#interval;
      return false;
    }
    this.#interval = 1;
    return true;
  }

  /** Told of a refresh and of how many rows it changed, sets when the next one is due. */
  countRefresh(changed: number): void {
    if (changed < FEW * this.#capacity) this.#interval = Math.min(MOST_ACCESSES, 2 * this.#interval);
    else if (changed > MANY * this.#capacity) this.#interval = Math.max(1, this.#interval / 2);
  }

  /** Told that a look begins, counts anew. */
  restart(): void {
    if (this.#accesses > 0) {
      const share = (PARTS * this.#misses) / this.#accesses;
      // It rises by halves, so that looks follow each other until the cache is about as good as before, or clearly cannot be.
      this.#expected = Math.round(Math.min(share, (this.#expected + share) / 2));
    }
    this.#accesses = 0;
    this.#misses = 0;
    this.#steps = 0;
  }

  /** What it remembers, as whole numbers below 2^32. */
  get memory(): ScheduleMemory {
    return [this.#accesses, this.#misses, this.#steps, this.#interval, this.#expected];
  }

  set memory([accesses, misses, steps, interval, expected]: ScheduleMemory) {
    this.#accesses = accesses;
    this.#misses = misses;
    this.#steps = steps;
    this.#interval = interval;
    this.#expected = expected;
  }

  /** Whether clearly more accesses missed the cache since the last look than are expected to. */
  get hasMoved(): boolean {
    const share = this.#expected / PARTS;
    const excess = this.#misses - share * this.#accesses;
    return excess > SURGE * this.#accesses && excess > DEVIATIONS * Math.sqrt(share * (1 - share) * this.#accesses);
  }
}
