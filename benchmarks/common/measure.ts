import { cpuUsage, quantile } from "@tt-rec/testing";

/** What one case, ours or a peer's, gave in one round. */
export interface Sample {
  /** Processor time of a call, mean, in ms. */
  readonly cpu?: number;
  /** Wall time of a call, median, in ms. */
  readonly wall?: number;
  /** Work per time, where the case knows it itself. */
  readonly rate?: number;
  /** Bytes, where the case counts bytes. */
  readonly bytes?: number;
  /** Cores kept busy by the process that was measured. */
  readonly cpuPerWall?: number;
  /** Cores used by other processes meanwhile. */
  readonly otherCores?: number;
}

/** Fewest calls that are timed, as in the peers. */
const MIN_CALLS = 5;
/** Fewest calls before the clock starts. */
const WARMUP_CALLS = 2;

/** Calls for a while, then times calls until the budget is spent: mean processor time and median wall time of a call. */
export async function timed(run: () => unknown, budgetMs: number): Promise<Sample> {
  const warm = performance.now() + budgetMs / 4;
  for (let calls = 0; calls < WARMUP_CALLS || performance.now() < warm; calls++) await run();
  const walls: number[] = [];
  const before = cpuUsage();
  const start = performance.now();
  let last = start;
  while (last - start < budgetMs || walls.length < MIN_CALLS) {
    await run();
    const now = performance.now();
    walls.push(now - last);
    last = now;
  }
  const after = cpuUsage();
  const wallMs = last - start;
  const ownMs = after.ownMs - before.ownMs;
  return {
    cpu: ownMs / walls.length,
    wall: quantile(walls, 0.5),
    cpuPerWall: ownMs / wallMs,
    otherCores: Math.max(0, after.allMs - before.allMs - ownMs) / wallMs,
  };
}
