/** What `randomBags` draws. */
export interface RequestOptions {
  /** Rows of the table. */
  readonly numEmbeddings: number;
  /** Number of bags. */
  readonly batchSize: number;
  /** Largest number of ids in a bag; the smallest is 0. */
  readonly maxPooling: number;
  /** Skew of the ids: 0 uniform, larger values favour small ids. Default 0. */
  readonly skew?: number;
}

/** The lookups of a batch. */
export interface DrawnBags {
  /** Row ids of all bags. */
  readonly indices: Uint32Array;
  /** Start of each bag, and the number of ids as the last entry. */
  readonly offsets: Uint32Array;
  /** Factor of each id, in [-1, 1). */
  readonly weights: Float32Array;
}

/** Draws a batch of bags with empty bags and duplicates; `uniform` gives numbers in [0, 1). */
export function randomBags(uniform: () => number, { numEmbeddings, batchSize, maxPooling, skew = 0 }: RequestOptions): DrawnBags {
  const offsets = new Uint32Array(batchSize + 1);
  for (let bag = 0; bag < batchSize; bag++) offsets[bag + 1] = offsets[bag] + Math.floor(uniform() * (maxPooling + 1));
  const count = offsets[batchSize];
  const indices = Uint32Array.from({ length: count }, () => Math.floor(uniform() ** (1 + skew) * numEmbeddings));
  const weights = Float32Array.from({ length: count }, () => 2 * uniform() - 1);
  return { indices, offsets, weights };
}
