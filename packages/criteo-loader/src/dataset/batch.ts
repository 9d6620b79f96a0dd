/** The ids of one table for the samples of a batch. */
export interface IdBags {
  /** One index a sample; every bag holds one id, so offsets are left out. */
  readonly indices: Uint32Array;
}

/** Some samples, in memory of their own. */
export interface DatasetBatch {
  /** Number of samples B. */
  readonly size: number;
  /** Labels, 0 or 1, [B]. */
  readonly labels: Float32Array;
  /** ln(x + 1) of the whole numbers, row-major [B, F]. */
  readonly dense: Float32Array;
  /** One entry a table. */
  readonly bags: readonly IdBags[];
}
