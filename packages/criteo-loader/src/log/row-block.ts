/** The ids of one column in some rows. */
export interface IdColumn {
  /** One word an id, or two (low, high) in a column of `schema.wide`. [ids × words] */
  readonly words: Uint32Array;
  /** Only in a column of `schema.lists`: where the ids of each row begin, counted in ids; rows + 1 entries, the first 0. */
  readonly offsets?: Uint32Array;
}

/** Some rows, column by column. Their maker reuses it: it holds until the next block is asked for. */
export interface RowBlock {
  /** Number of rows. */
  readonly rows: number;
  /** Labels, 0 or 1, [rows]. */
  readonly labels: Uint8Array;
  /** Dense features as the model gets them, row-major [rows, F]; see `logFeature`. */
  readonly dense: Float32Array;
  /** One entry an id column: raw ids, or indices once they are learned. */
  readonly ids: readonly IdColumn[];
}
