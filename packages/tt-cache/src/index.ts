export { AccessCounter } from "./access-counter.ts";
export type { CacheMetrics } from "./cache-metrics.ts";
export { CachedTTEmbeddingBag, type CachedTTEmbeddingBagOptions } from "./cached-tt-embedding-bag.ts";
export type { SemiDynamicSchedule } from "./semi-dynamic-schedule.ts";
