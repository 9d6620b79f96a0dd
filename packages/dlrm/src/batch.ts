import type { Bags } from "@tt-rec/tt-kernels";

/** A batch of samples. */
export interface Batch {
  /** Number of samples B. */
  readonly size: number;
  /** 0 or 1 for each sample [B]. */
  readonly labels: Float32Array;
  /** Dense features [B, F], row-major; empty if the model has none. */
  readonly dense: Float32Array;
  /** The lookups in each table, in the order of the model's tables; each has B bags. */
  readonly bags: readonly Bags[];
}

/** The parts of a data set, by their use. */
export type Split = "train" | "validation" | "test";

/** How samples are mixed: "total" (or true) over the whole split, "day" within each day of the log, "none" (or false) not at all. */
export type Shuffle = boolean | "total" | "day" | "none";

/** Which batches to stream. */
export interface BatchRequest {
  /** Part of the data set. */
  readonly split: Split;
  /** Samples a batch; the last may be shorter. */
  readonly batchSize: number;
  /** Whether and how to shuffle; the order is a function of `seed` and `epoch`. */
  readonly shuffle?: Shuffle;
  /** Share of the samples with label 0 that is left out; `seed` and `epoch` say which. Default 0. */
  readonly dropNegatives?: number;
  /** Seed of the shuffle. */
  readonly seed?: number;
  /** Pass over the data, from 0. */
  readonly epoch?: number;
  /** Number of the first batch to stream, from 0: a resumed run starts in the middle. */
  readonly start?: number;
}

/** Where batches come from. The model knows nothing of files; a loader's data set satisfies this by its shape. */
export interface BatchSource {
  /** Number of samples in a split. */
  rows(split: Split): number;
  /** Streams the batches of a split. */
  batches(request: BatchRequest): AsyncIterable<Batch>;
}
