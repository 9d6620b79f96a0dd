import { fbttPolicy } from "@tt-rec/testing";
import { AccessCounter, type CachePolicy, type CachePolicyName, type RefreshScheduleOptions } from "@tt-rec/tt-cache";
import type { EqualBytes } from "./equal-bytes.ts";

/** A way to cache rows, or not to. */
export interface Variant {
  readonly name: string;
  readonly policy: CachePolicyName | CachePolicy | "gradient-energy";
  readonly schedule: RefreshScheduleOptions;
  /** Whether the cache is told the accesses of the training rows beforehand. */
  readonly counts?: "known";
  /** Rows are held as int8, as many as take the bytes that the share's rows take as float32: of what, is said here. */
  readonly int8?: EqualBytes;
  /** Steps before its training at which a batch is counted. */
  readonly ahead?: number;
}

/** Steps of warm-up, and between refreshes, where they are given. */
const FIXED: RefreshScheduleOptions = { warmupSteps: 50, refreshEvery: 50 };
const FBTT_POLICY: CachePolicy = fbttPolicy(() => new AccessCounter());
const AUTOMATIC: RefreshScheduleOptions = {};

/** All that is compared besides tables without a cache. */
export const VARIANTS: readonly Variant[] = [
  { name: "semi-dynamic", policy: "semi-dynamic", schedule: FIXED },
  { name: "fbtt", policy: FBTT_POLICY, schedule: FIXED },
  { name: "resident", policy: "resident", schedule: AUTOMATIC },
  { name: "semi-dynamic, automatic", policy: "semi-dynamic", schedule: AUTOMATIC },
  { name: "fbtt, automatic", policy: FBTT_POLICY, schedule: AUTOMATIC },
  { name: "resident, 50 steps", policy: "resident", schedule: FIXED },
  { name: "resident, known counts", policy: "resident", schedule: AUTOMATIC, counts: "known" },
  { name: "static", policy: "static", schedule: AUTOMATIC },
  { name: "static, known counts", policy: "static", schedule: AUTOMATIC, counts: "known" },
  { name: "resident, int8", policy: "resident", schedule: AUTOMATIC, int8: "training" },
  { name: "resident, int8, deployed", policy: "resident", schedule: AUTOMATIC, int8: "deployed" },
  { name: "resident, 10 steps ahead", policy: "resident", schedule: AUTOMATIC, ahead: 10 },
  { name: "gradient-energy", policy: "gradient-energy", schedule: AUTOMATIC },
];
