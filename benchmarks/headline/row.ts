import type { Quantity } from "./quantity.ts";

/** Units in which less is better; in all others more is. */
export const LESS_IS_BETTER: ReadonlySet<string> = new Set(["ms", "bytes"]);

/** What a row is compared with. */
interface Rival {
  /** Name for the record. */
  readonly name: string;
  /** Its number, in the unit of the row. */
  readonly value: Quantity;
}

/** One line of the results: what is measured, and what it is compared with. */
export interface Row {
  /** Stable and readable, such as `tt-step/R32/P10/zipf/vs-chain`. */
  readonly id: string;
  /** Parameters of the workload. */
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  /** What runs: `wasm-relaxed`, `blas`. */
  readonly engine: string;
  /** Part of the job: `forward`, `step`. */
  readonly phase: string;
  /** Unit of the numbers: `ms`, `bytes`, `GFLOP/s`. */
  readonly unit: string;
  /** Our number in a round. */
  readonly ours: Quantity;
  /** The rival; absent where a number stands alone. */
  readonly rival?: Rival;
  /** The ratio that is hoped for, higher is better. */
  readonly target?: number;
  /** Rounds in which other processes used more cores than this do not count; default all count. */
  readonly maxOtherCores?: number;
  /** Leave the row out if the rival takes less than this many ms: nothing is promised then. */
  readonly minRivalMs?: number;
}

/** Most cores that others may use in a round of wall times on two threads. */
export const QUIET_CORES = 0.2;
