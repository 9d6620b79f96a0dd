export { AccessCounter } from "./access-counter.ts";
export type { CacheMetrics } from "./cache-metrics.ts";
export type { CachePolicy } from "./cache-policy.ts";
export { CachedTTEmbeddingBag, type CachedTTEmbeddingBagOptions } from "./cached-tt-embedding-bag.ts";
export type { SemiDynamicSchedule } from "./semi-dynamic-schedule.ts";
export { type SimulationOptions, type SimulationResult, simulateCache } from "./simulate-cache.ts";
