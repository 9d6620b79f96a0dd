import type { SavedDictionary } from "../dictionary/dictionaries-file.ts";
import type { LogSchema } from "../log/log-schema.ts";
import type { IdColumn } from "../log/row-block.ts";

/**
 * How the ids of a column are numbered: "first-seen" by first appearance in the training rows, as in DLRM; "frequency" by
 * count, most frequent first; "similarity" by what they occur together with, along the row shape of a TT table; "hash" by a
 * hash modulo a size, without a dictionary.
 */
export type IdOrderName = "first-seen" | "frequency" | "similarity" | "hash";

/** Names of the id orders. */
export const ID_ORDERS: readonly IdOrderName[] = ["first-seen", "frequency", "similarity", "hash"];

/** Some training rows, without their labels: an order may not learn from them. */
interface LearnedBlock {
  /** Number of rows. */
  readonly rows: number;
  /** Dense features, row-major [rows, F]. */
  readonly dense: Float32Array;
  /** Indices in first-seen order, one entry an id column. */
  readonly ids: readonly IdColumn[];
}

/** What is known once the dictionaries are learned: first-seen order, rare ids dropped, index 0 out of vocabulary. */
interface LearnedRows {
  /** Columns of the log. */
  readonly schema: LogSchema;
  /** Number of training rows. */
  readonly rows: number;
  /** Number of indices of each id column, index 0 included. */
  readonly cardinalities: readonly number[];
  /** Raw values and counts of a column. */
  dictionary(column: number): Promise<SavedDictionary>;
  /** Training rows in the order of the log; may be called several times. A block holds until the next is asked for. */
  blocks(): AsyncIterable<LearnedBlock>;
}

/** Gives the new index of each index of each column: a permutation that leaves 0 in its place; undefined changes nothing. */
export type IdOrder = (learned: LearnedRows) => Promise<readonly (Uint32Array | undefined)[]>;
