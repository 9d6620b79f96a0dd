/** The lookups of a batch, as plain arrays; absent offsets mean one id a bag. */
export interface PlainBags {
  /** Row ids of all bags. */
  readonly indices: ArrayLike<number>;
  /** Start of each bag, and the number of ids as the last entry. */
  readonly offsets?: ArrayLike<number>;
  /** Factor of each id. */
  readonly weights?: ArrayLike<number>;
}

/**
 * Pools rows of a dense table [n, D] by the definition, in float64: `sum` Σ α·w, `mean` that divided by the bag's
 * length, `none` one row an id. An empty bag gives zeros.
 */
export function poolRows(
  table: ArrayLike<number>,
  embeddingDim: number,
  { indices, offsets, weights }: PlainBags,
  pooling: "sum" | "mean" | "none",
): Float64Array {
  const starts = startsOf(indices, offsets, pooling);
  const out = new Float64Array((starts.length - 1) * embeddingDim);
  for (let bag = 0; bag + 1 < starts.length; bag++) {
    const length = starts[bag + 1] - starts[bag];
    for (let p = starts[bag]; p < starts[bag + 1]; p++) {
      const alpha = (weights?.[p] ?? 1) / (pooling === "mean" ? length : 1);
      for (let j = 0; j < embeddingDim; j++) out[bag * embeddingDim + j] += alpha * table[indices[p] * embeddingDim + j];
    }
  }
  return out;
}

/** The transpose of `poolRows`, in float64: the gradient [ids, D] of each looked-up row from that [bags, D] of the output. */
export function unpoolRows(
  gradient: ArrayLike<number>,
  embeddingDim: number,
  { indices, offsets, weights }: PlainBags,
  pooling: "sum" | "mean" | "none",
): Float64Array {
  const starts = startsOf(indices, offsets, pooling);
  const out = new Float64Array(indices.length * embeddingDim);
  for (let bag = 0; bag + 1 < starts.length; bag++) {
    for (let p = starts[bag]; p < starts[bag + 1]; p++) {
      const alpha = (weights?.[p] ?? 1) / (pooling === "mean" ? starts[bag + 1] - starts[bag] : 1);
      for (let j = 0; j < embeddingDim; j++) out[p * embeddingDim + j] = alpha * gradient[bag * embeddingDim + j];
    }
  }
  return out;
}

function startsOf(indices: ArrayLike<number>, offsets: ArrayLike<number> | undefined, pooling: string): ArrayLike<number> {
  const oneEach = pooling === "none" || offsets === undefined;
  return oneEach ? Array.from({ length: indices.length + 1 }, (_, i) => i) : offsets;
}
