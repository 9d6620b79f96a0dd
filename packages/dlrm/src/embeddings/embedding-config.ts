import type { CachePolicyName } from "@tt-rec/tt-cache";
import type { Initializer } from "@tt-rec/tt-math";

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

/** The cache of a TT table. */
export interface CacheConfig {
  /** Most rows it can hold. */
  readonly rows: number;
  /** The cache fills at the end of this step. */
  readonly warmupSteps?: number;
  /** From then on it refreshes at the end of every step that is a multiple of this. */
  readonly refreshEvery?: number;
  /** How it takes new rows; default `resident`. */
  readonly policy?: CachePolicyName;
}

/** How a table is stored. */
export type EmbeddingConfig = DenseEmbeddingConfig | TTEmbeddingConfig;

/** One categorical feature. */
export interface TableConfig {
  /** Name of the feature. */
  readonly name: string;
  /** Rows of its table. */
  readonly numEmbeddings: number;
  /** How the table is stored. */
  readonly embedding: EmbeddingConfig;
}
