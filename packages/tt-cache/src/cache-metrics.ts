/** Weight of the past in the moving hit rate: a memory of about 100 steps. */
const DECAY = 0.99;

/** What a cache did so far in this process, in training steps; hits and lookups are before deduplication. */
export interface CacheMetrics {
  /** Share of the last step's lookups that were answered from the cache; 0 for a step without lookups. */
  readonly hitRate: number;
  /** Hit rate averaged over about the last 100 steps. */
  readonly movingHitRate: number;
  /** Lookups answered from the cache. */
  readonly hits: number;
  /** All lookups. */
  readonly lookups: number;
  /** Distinct rows of a step answered from the cache, over all steps. */
  readonly distinctHits: number;
  /** Distinct rows of a step, over all steps. */
  readonly distinctLookups: number;
  /** Rows held now. */
  readonly cachedRows: number;
  /** Refreshes so far, the first fill included. */
  readonly refreshes: number;
  /** Rows that refreshes computed from the cores. */
  readonly loadedRows: number;
  /** Rows that refreshes dropped. */
  readonly evictions: number;
  /** Time spent in refreshes, in milliseconds. */
  readonly refreshMilliseconds: number;
  /** Bytes of the cached rows, their optimizer state, the map and the counters. */
  readonly bytes: number;
}

/** The distinct rows of a batch, and how many of them are cached; asked for once the batch was computed. */
interface DistinctRows {
  readonly uniqueRows: number;
  readonly uniqueCached: number;
}

/** Adds up the metrics of a cache. */
export class CacheMeter {
  #hitRate = 0;
  #moving = 0;
  #steps = 0;
  #hits = 0;
  #lookups = 0;
  #distinctHits = 0;
  #distinctLookups = 0;
  /** The step counted last: its distinct rows are known for nothing once it was computed. */
  #planned: DistinctRows | undefined;
  #refreshes = 0;
  #loadedRows = 0;
  #evictions = 0;
  #refreshMilliseconds = 0;

  /** Records the lookups of one training step. */
  countStep(hits: number, lookups: number, distinct: DistinctRows): void {
    this.countDistinct();
    this.#planned = distinct;
    this.#hits += hits;
    this.#lookups += lookups;
    this.#hitRate = lookups === 0 ? 0 : hits / lookups;
    // A plain mean until there are enough steps for the decay to carry the average.
    const weight = Math.max(1 - DECAY, 1 / ++this.#steps);
    this.#moving += weight * (this.#hitRate - this.#moving);
  }

  /** Records the work of a refresh at the end of a step: that of one that begins, or of one that goes on. */
  countRefresh(begins: boolean, loadedRows: number, evictions: number, milliseconds: number): void {
    if (begins) this.#refreshes++;
    this.#loadedRows += loadedRows;
    this.#evictions += evictions;
    this.#refreshMilliseconds += milliseconds;
  }

  /** The metrics at this moment. */
  read(cachedRows: number, bytes: number): CacheMetrics {
    this.countDistinct();
    return {
      hitRate: this.#hitRate,
      movingHitRate: this.#moving,
      hits: this.#hits,
      lookups: this.#lookups,
      distinctHits: this.#distinctHits,
      distinctLookups: this.#distinctLookups,
      cachedRows,
      refreshes: this.#refreshes,
      loadedRows: this.#loadedRows,
      evictions: this.#evictions,
      refreshMilliseconds: this.#refreshMilliseconds,
      bytes,
    };
  }

  /** Counts the distinct rows of the last batch, which cost nothing as long as what its computation found is there. */
  countDistinct(): void {
    if (this.#planned === undefined) return;
    this.#distinctHits += this.#planned.uniqueCached;
    this.#distinctLookups += this.#planned.uniqueRows;
    this.#planned = undefined;
  }
}
