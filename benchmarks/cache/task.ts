import type { BatchSource, OptimizerConfig } from "@tt-rec/dlrm";

/** A data set, and how a model is trained on it. */
export interface Task {
  readonly name: string;
  readonly source: BatchSource;
  readonly denseFeatures: number;
  readonly tableNames: readonly string[];
  readonly cardinalities: readonly number[];
  /** Default 16, to which the bottom MLP must come. */
  readonly embeddingDim?: number;
  /** Accesses of each row of each table in training. */
  accessCounts(): Promise<readonly Uint32Array[]>;
  readonly bottomMlp: readonly number[];
  readonly topMlp: readonly number[];
  /** How many of the largest tables are TT tables, and their ranks. */
  readonly ttTables: number;
  readonly ttRanks: number;
  /** Column factors of the TT tables, if not the default ones. */
  readonly columnShape?: readonly number[];
  readonly optimizer: OptimizerConfig;
  readonly batchSize: number;
  readonly epochs: number;
  readonly shuffle: boolean;
  /** Shares of the rows of a TT table that caches hold. */
  readonly shares: readonly number[];
}
