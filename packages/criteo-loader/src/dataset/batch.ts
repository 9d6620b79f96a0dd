/** The ids of one table for the samples of a batch. */
export interface IdBags {
  /** Indices of all bags, bag after bag. */
  readonly indices: Uint32Array;
  /** Only of a list column: where each bag begins in `indices`; B + 1 entries, the first 0. Without it every bag holds one id. */
  readonly offsets?: Uint32Array;
}

/** Some samples. The arrays may be views of larger ones that other batches share: they are for reading only. */
export interface DatasetBatch {
  /** Number of samples B. */
  readonly size: number;
  /** Labels, 0 or 1, [B]. */
  readonly labels: Float32Array;
  /** Dense features, row-major [B, F]: ln(x + 1) of the whole numbers. */
  readonly dense: Float32Array;
  /** One entry a table. */
  readonly bags: readonly IdBags[];
}
