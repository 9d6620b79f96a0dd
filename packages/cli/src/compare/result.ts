import type { BinaryMetrics } from "@tt-rec/dlrm";
import type { Cell, Rates } from "./cells.ts";

/** Resident bytes of a whole model. */
export interface ModelBytes {
  /** Tables: parameters, cached rows with their ids, index tables; in training optimizer state and access counters too. */
  readonly tables: number;
  /** Dense layers; in training with their optimizer state. */
  readonly mlps: number;
  /** Dictionaries from raw ids to indices, of those ids that have an index of their own. */
  readonly dictionary: number;
}

/** One finished training of a comparison, a line of `results.jsonl`. */
export interface Result extends Cell {
  /** Identifies the training: what is finished is not done again. */
  readonly key: string;
  /** A trial chooses step lengths by the validation rows and never sees the test rows. */
  readonly kind: "trial" | "run";
  /** Name of the data set. */
  readonly data: string;
  /** How its ids were numbered when it was prepared. */
  readonly idOrder: string;
  /** Digest of the test labels: only results with the same are compared. */
  readonly testRows: string;
  readonly rates: Rates;
  readonly seed: number;
  /** Bytes that the compared tables may take; null for a method of one size. */
  readonly budgetBytes: number | null;
  /** Whether the method gets that small. */
  readonly isReached: boolean;
  /** Bytes that the compared tables take when they score. */
  readonly comparedBytes: number;
  /** Bytes of the compared tables uncompressed. */
  readonly uncompressedBytes: number;
  /** Bytes of the whole model when it scores. */
  readonly scoring: ModelBytes;
  /** Bytes of the whole model in training. */
  readonly training: ModelBytes;
  /** Steps before the best evaluation; its model is the one that was measured. */
  readonly step: number;
  /** Validation metrics of that model; null if training diverged before the first evaluation. */
  readonly validation: BinaryMetrics | null;
  /** Its test metrics; only of a run. */
  readonly test?: BinaryMetrics;
  /** File with its test logits, little-endian float32; only of a run. */
  readonly scores?: string;
  /** Wall time of training and evaluations. */
  readonly seconds: number;
  /** Engine and threads that computed. */
  readonly engine: string;
  readonly threads: number;
}

/** Bytes of a whole model. */
export function totalBytes({ tables, mlps, dictionary }: ModelBytes): number {
  return tables + mlps + dictionary;
}
