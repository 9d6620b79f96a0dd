import type { CachePolicy, CachePolicyName } from "./cache-policy.ts";
import type { RefreshScheduleOptions } from "./refresh-schedule.ts";
import { RowChooser } from "./row-chooser.ts";

/** What `simulateCache` tries. */
export interface SimulationOptions extends RefreshScheduleOptions {
  /** Rows that the cache can hold. */
  readonly cacheRows: number;
  /** How it takes new rows. Default `resident`. */
  readonly policy?: CachePolicyName | CachePolicy;
  /** Accesses of each row that are known beforehand. */
  readonly accessCounts?: ArrayLike<number>;
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
  /** Rows that refreshes computed from the cores. */
  readonly loadedRows: number;
  /** Rows that refreshes dropped. */
  readonly evictions: number;
  /** Refreshes, the first fill included. */
  readonly refreshes: number;
  /** Bytes of the counters at the end. */
  readonly counterBytes: number;
}

/**
 * What a `CachedTTEmbeddingBag` would answer from its cache over a trace, the ids of one training step after the other, without any
 * row being computed. Throws `E_OPTION` on a bad schedule or an unknown policy.
 */
export function simulateCache(trace: Iterable<Uint32Array>, options: SimulationOptions): SimulationResult {
  const { cacheRows, policy = "resident", accessCounts } = options;
  const chooser = new RowChooser(policy, options, cacheRows, accessCounts);
  let held = new Set<number>();
  const sums = { hits: 0, lookups: 0, distinctHits: 0, distinctLookups: 0, loadedRows: 0, evictions: 0, refreshes: 0 };
  for (const ids of trace) {
    sums.lookups += ids.length;
    for (const id of ids) if (held.has(id)) sums.hits++;
    const distinct = new Set(ids);
    sums.distinctLookups += distinct.size;
    for (const id of distinct) if (held.has(id)) sums.distinctHits++;
    chooser.observe(ids);
    const rows = chooser.endStep(Uint32Array.from(held));
    if (rows === undefined) continue;
    const next = new Set(rows);
    for (const id of held) if (!next.has(id)) sums.evictions++;
    for (const id of next) if (!(chooser.policy.keepsRows && held.has(id))) sums.loadedRows++;
    held = next;
    sums.refreshes++;
  }
  return { ...sums, counterBytes: chooser.bytes };
}
