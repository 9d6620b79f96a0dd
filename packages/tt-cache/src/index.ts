export { AccessCounter } from "./access-counter.ts";
export type { CacheMetrics } from "./cache-metrics.ts";
export type { CachePolicy, CachePolicyName } from "./cache-policy.ts";
export type { CacheSizeOptions } from "./cache-size.ts";
export { CachedTTEmbeddingBag, type CachedTTEmbeddingBagOptions } from "./cached-tt-embedding-bag.ts";
export type { RefreshScheduleOptions } from "./refresh-schedule.ts";
export type { RowCounter } from "./row-counter.ts";
export { SetCounter } from "./set-counter.ts";
export { type SimulationOptions, type SimulationResult, simulateCache } from "./simulate-cache.ts";
