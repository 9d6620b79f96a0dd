/** Weight of the past in the moving hit rate: a memory of about 100 steps. */
const DECAY = 0.99;

/** What a cache did so far in this process; counts are before deduplication, training steps only. */
export interface CacheMetrics {
  /** Share of the last step's lookups that were answered from the cache; 0 for a step without lookups. */
  readonly hitRate: number;
  /** Hit rate averaged over about the last 100 steps. */
  readonly movingHitRate: number;
  /** Lookups answered from the cache. */
  readonly hits: number;
  /** All lookups. */
  readonly lookups: number;
  /** Rows held now. */
  readonly cachedRows: number;
  /** Refreshes so far, the first fill included. */
  readonly refreshes: number;
  /** Rows that a refresh dropped, over all refreshes. */
  readonly evictions: number;
  /** Time spent in refreshes, in milliseconds. */
  readonly refreshMilliseconds: number;
  /** Bytes of the cached rows, their optimizer state, the map and the counters. */
  readonly bytes: number;
}

/** Adds up the metrics of a cache. */
export class CacheMeter {
  #hitRate = 0;
  #moving = 0;
  #steps = 0;
  #hits = 0;
  #lookups = 0;
  #refreshes = 0;
  #evictions = 0;
  #refreshMilliseconds = 0;

  /** Records the lookups of one training step. */
  countStep(hits: number, lookups: number): void {
    this.#hits += hits;
    this.#lookups += lookups;
    this.#hitRate = lookups === 0 ? 0 : hits / lookups;
    // A plain mean until there are enough steps for the decay to carry the average.
    const weight = Math.max(1 - DECAY, 1 / ++this.#steps);
    this.#moving += weight * (this.#hitRate - this.#moving);
  }

  /** Records the work of `refreshes`, 0 or 1, that begin at a step, or of one that goes on. */
  countRefresh(refreshes: number, evictions: number, milliseconds: number): void {
    this.#refreshes += refreshes;
    this.#evictions += evictions;
    this.#refreshMilliseconds += milliseconds;
  }

  /** The metrics at this moment. */
  read(cachedRows: number, bytes: number): CacheMetrics {
    return {
      hitRate: this.#hitRate,
      movingHitRate: this.#moving,
      hits: this.#hits,
      lookups: this.#lookups,
      cachedRows,
      refreshes: this.#refreshes,
      evictions: this.#evictions,
      refreshMilliseconds: this.#refreshMilliseconds,
      bytes,
    };
  }
}
