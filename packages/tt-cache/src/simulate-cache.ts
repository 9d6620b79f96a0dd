import { AccessCounter } from "./access-counter.ts";
import { ageAccesses, type CachePolicy, selectRows } from "./cache-policy.ts";
import { isRefreshDue, type SemiDynamicSchedule, validateSchedule } from "./semi-dynamic-schedule.ts";

/** What `simulateCache` tries. */
export interface SimulationOptions extends SemiDynamicSchedule {
  /** Rows that the cache can hold. */
  readonly cacheRows: number;
  /** How it takes new rows. Default `resident`. */
  readonly policy?: CachePolicy;
}

/** What a cache would have done. */
export interface SimulationResult {
  /** Lookups answered from the cache, before deduplication. */
  readonly hits: number;
  /** All lookups. */
  readonly lookups: number;
  /** Distinct rows of a step answered from the cache, over all steps. */
  readonly distinctHits: number;
  /** Distinct rows of a step, over all steps. */
  readonly distinctLookups: number;
  /** Rows that refreshes dropped. */
  readonly evictions: number;
  /** Refreshes, the first fill included. */
  readonly refreshes: number;
}

/**
 * What a `CachedTTEmbeddingBag` would answer from its cache over a trace, the ids of one training step after the other, without any
 * row being computed. Throws `E_OPTION` on a bad schedule.
 */
export function simulateCache(trace: Iterable<Uint32Array>, options: SimulationOptions): SimulationResult {
  const { cacheRows, policy = "resident" } = options;
  validateSchedule(options);
  const counter = new AccessCounter();
  let held = new Set<number>();
  let step = 0;
  const sums = { hits: 0, lookups: 0, distinctHits: 0, distinctLookups: 0, evictions: 0, refreshes: 0 };
  for (const ids of trace) {
    sums.lookups += ids.length;
    for (const id of ids) if (held.has(id)) sums.hits++;
    const distinct = new Set(ids);
    sums.distinctLookups += distinct.size;
    for (const id of distinct) if (held.has(id)) sums.distinctHits++;
    counter.observe(ids);
    if (!isRefreshDue(options, ++step)) continue;
    const next = new Set(selectRows(policy, counter, cacheRows, Uint32Array.from(held)));
    ageAccesses(policy, counter, cacheRows);
    for (const id of held) if (!next.has(id)) sums.evictions++;
    held = next;
    sums.refreshes++;
  }
  return sums;
}
