import { NO_ROW } from "@tt-rec/tt-kernels";
import type { CachePolicy, CachePolicyName } from "./cache-policy.ts";
import { NONE_ENTERING, takePortion } from "./entering.ts";
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
  // The slots as the cache has them: the id in each, its accesses since they were last counted, and the slot of each id.
  const slots = new Uint32Array(cacheRows).fill(NO_ROW);
  const accesses = new Uint32Array(cacheRows);
  const slotOf = new Map<number, number>();
  let entering = NONE_ENTERING;
  const sums = { hits: 0, lookups: 0, distinctHits: 0, distinctLookups: 0, loadedRows: 0, evictions: 0, refreshes: 0 };
  const free = (slot: number | undefined): void => {
    if (slot === undefined || slots[slot] === NO_ROW) return;
    if (accesses[slot] > 0) chooser.count(slots.subarray(slot, slot + 1), accesses.subarray(slot, slot + 1));
    accesses[slot] = 0;
    slotOf.delete(slots[slot]);
    slots[slot] = NO_ROW;
  };
  const held = { ids: slots, slotsOf: (ids: Uint32Array) => ids.map((id) => slotOf.get(id) ?? NO_ROW) };
  for (const ids of trace) {
    sums.lookups += ids.length;
    const distinct = new Set(ids);
    sums.distinctLookups += distinct.size;
    for (const id of distinct) if (slotOf.has(id)) sums.distinctHits++;
    const others = ids.filter((id) => {
      const slot = slotOf.get(id);
      if (slot !== undefined) accesses[slot]++;
      return slot === undefined;
    });
    sums.hits += ids.length - others.length;
    chooser.observe(others, ids.length);
    const chosen = chooser.endStep(held, entering.ids.length > 0, () => {
      const taken = accesses.slice();
      accesses.fill(0);
      return taken;
    });
    if (chosen !== undefined) {
      sums.refreshes++;
      sums.evictions += slotOf.size - chosen.held;
      entering = chosen.entering;
    }
    const [now, later] = takePortion(entering, cacheRows, chosen?.spare);
    entering = later;
    sums.loadedRows += now.ids.length;
    for (const [i, id] of now.ids.entries()) {
      free(now.slots[i]);
      free(slotOf.get(id));
      slots[now.slots[i]] = id;
      slotOf.set(id, now.slots[i]);
    }
  }
  return { ...sums, counterBytes: chooser.bytes };
}
