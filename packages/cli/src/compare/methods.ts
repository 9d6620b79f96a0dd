/** How the ids of a data set are numbered: as prepared, by falling frequency, or at random. */
export type Numbering = "prepared" | "frequency" | "random";

/** The ways of storing the compared tables, with the numberings under which each is tried. */
export const METHODS = {
  /** Uncompressed. */
  dense: ["prepared"],
  /** TT-cores. */
  tt: ["prepared", "frequency"],
  /** TT-cores, and a cache of hot rows in half of the bytes. */
  "tt-cached": ["prepared", "frequency"],
  /** The hashing trick, x mod N. */
  hash: ["random", "frequency"],
  /** Quotient and remainder, multiplied. */
  "quotient-remainder": ["prepared"],
  /** Fewer columns for larger tables. */
  "mixed-dimension": ["prepared"],
  /** A product of two matrices. */
  "low-rank": ["prepared"],
  /** Rows for the most frequent ids, and one for all others. */
  "hot-rows": ["frequency"],
  /** Without the columns. */
  removed: ["prepared"],
} as const satisfies Record<string, readonly Numbering[]>;

/** A way of storing the compared tables. */
export type Method = keyof typeof METHODS;

/** The numberings of a method. Ids that are hashed while they are prepared have no dictionary, so nothing else can number them. */
export function numberingsOf(method: Method, isHashed: boolean): readonly Numbering[] {
  return isHashed ? ["prepared"] : METHODS[method];
}

/** Whether a method has one size only, whatever the budget. */
export function hasOneSize(method: Method): boolean {
  return method === "dense" || method === "removed";
}
