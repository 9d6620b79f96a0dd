import type { CachePolicyName } from "@tt-rec/tt-cache";
import type { Initializer, RowStorage } from "@tt-rec/tt-math";

/** An uncompressed table, drawn from U(−1/√n, 1/√n) as in DLRM. */
export interface DenseEmbeddingConfig {
  /** Names the choice. */
  readonly kind: "dense";
}

/** A table in TT format. */
export interface TTEmbeddingConfig {
  /** Names the choice. */
  readonly kind: "tt";
  /** TT-ranks: an upper bound, or the inner ranks. */
  readonly ranks: number | readonly number[];
  /** Row factors p; default `suggestShape(numEmbeddings, 3)`. */
  readonly rowShape?: readonly number[];
  /** Column factors q; default the exact three factors of the embedding dimension. */
  readonly columnShape?: readonly number[];
  /** How the cores are drawn; default variance-matched sampled Gaussian. */
  readonly initializer?: Initializer;
  /** A cache of hot rows in front of the cores; absent means none. */
  readonly cache?: CacheConfig;
}

/** The cache of a TT table. Exactly one of `rows`, `bytes` and `share` says how large it is. */
export interface CacheConfig {
  /** Most rows it can hold. */
  readonly rows?: number;
  /** Bytes of its rows and of the map that finds them. */
  readonly bytes?: number;
  /** Share of the table's rows that it can hold, above 0 and at most 1. */
  readonly share?: number;
  /** The cache fills at the end of this step. */
  readonly warmupSteps?: number;
  /** From then on it refreshes at the end of every step that is a multiple of this. */
  readonly refreshEvery?: number;
  /** How it takes new rows; default `resident`. */
  readonly policy?: CachePolicyName;
  /** How its rows are held; default `float32`. `int8` has a byte an element and a scale a row. */
  readonly rowStorage?: RowStorage;
}

/** The hashing trick: ids that are equal modulo `rows` share a row of a small uncompressed table. */
export interface HashEmbeddingConfig {
  /** Names the choice. */
  readonly kind: "hash";
  /** Rows N that are kept. */
  readonly rows: number;
  /** Scrambles ids before the remainder is taken, so that ids which follow each other collide at random; absent: x mod N. */
  readonly seed?: number;
}

/**
 * The quotient–remainder trick (Shi et al., arXiv 1909.02107): row i is made of row ⌊i / c⌋ of one table and row i mod c of
 * another, c being `collisions`.
 */
export interface QuotientRemainderEmbeddingConfig {
  /** Names the choice. */
  readonly kind: "quotient-remainder";
  /** Ids c that share a quotient; the remainder's table has that many rows. */
  readonly collisions: number;
  /** The two rows are multiplied, added, or put one behind the other (⌈D/2⌉ and ⌊D/2⌋ columns). Default `mult`. */
  readonly operation?: "mult" | "add" | "concat";
}

/** A narrower table and a projection onto D columns (mixed dimensions; Ginart et al., arXiv 1909.11810). */
export interface MixedDimensionEmbeddingConfig {
  /** Names the choice. */
  readonly kind: "mixed-dimension";
  /** Columns d of the table, at most D; at D there is no projection. `mixedDimensions` suggests them. */
  readonly dimension: number;
}

/** The product U·V of [n, r] and [r, D]: a train of two cores. It is drawn with the variance of an uncompressed table. */
export interface LowRankEmbeddingConfig {
  /** Names the choice. */
  readonly kind: "low-rank";
  /** Rank r, at most D. */
  readonly rank: number;
}

/** Rows of their own for k ids, and one row that all others share. */
export interface HotRowsEmbeddingConfig {
  /** Names the choice. */
  readonly kind: "hot-rows";
  /** Rows k; where `ids` is absent they are those of the ids below k, the most frequent of a table in order of frequency. */
  readonly rows: number;
  /** The k ids, rising; they are kept beside the rows and count in the bytes. */
  readonly ids?: readonly number[];
}

/** The column is left out of the model. */
export interface RemovedEmbeddingConfig {
  /** Names the choice. */
  readonly kind: "removed";
}

/** How a table is stored. */
export type EmbeddingConfig =
  | DenseEmbeddingConfig
  | TTEmbeddingConfig
  | HashEmbeddingConfig
  | QuotientRemainderEmbeddingConfig
  | MixedDimensionEmbeddingConfig
  | LowRankEmbeddingConfig
  | HotRowsEmbeddingConfig
  | RemovedEmbeddingConfig;

/** How the rows of a bag become one vector: their weighted sum, that divided by the number of ids, or the largest of each column. */
export type TablePooling = "sum" | "mean" | "max";

/** One categorical feature. */
export interface TableConfig {
  /** Name of the feature. */
  readonly name: string;
  /** Number of ids n. */
  readonly numEmbeddings: number;
  /** How the table is stored. */
  readonly embedding: EmbeddingConfig;
  /** How the rows of a bag are joined; default `sum`. `max` refuses per-sample weights. */
  readonly pooling?: TablePooling;
}
