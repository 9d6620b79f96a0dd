/** How the ids of a data set are numbered: as prepared, by falling frequency, or at random. */
export type Numbering = "prepared" | "frequency" | "random";

/** A way of storing the compared tables. */
export type Method =
  | "dense"
  | "tt"
  | "tt-cached"
  | "hash"
  | "quotient-remainder"
  | "mixed-dimension"
  | "low-rank"
  | "hot-rows"
  | "removed";

/** The numberings under which each method is tried; those that do not care have one. */
const NUMBERINGS: Readonly<Record<Method, readonly Numbering[]>> = {
  dense: ["prepared"],
  tt: ["prepared", "frequency"],
  "tt-cached": ["prepared", "frequency"],
  hash: ["random", "frequency"],
  "quotient-remainder": ["prepared"],
  "mixed-dimension": ["prepared"],
  "low-rank": ["prepared"],
  "hot-rows": ["frequency"],
  removed: ["prepared"],
};

/** All methods. */
export const METHODS: readonly Method[] = Object.keys(NUMBERINGS) as Method[];

/** What a data set is to a comparison: the first of its rows, the same rows in a further id order, or with hashed ids. */
export type DataRole = "first" | "further" | "hashed";

/** Methods for which it matters which ids are neighbours. */
const ORDERED: readonly Method[] = ["tt", "tt-cached", "quotient-remainder"];

/**
 * The numberings of a method. Of a further id order only what depends on it is new. Ids that are hashed while they are prepared have
 * no dictionary, so nothing else can number them, and hot rows, which need ids by frequency, are not tried.
 */
export function numberingsOf(method: Method, role: DataRole): readonly Numbering[] {
  if (role === "first") return NUMBERINGS[method];
  if (role === "further") return ORDERED.includes(method) ? ["prepared"] : [];
  return method === "hot-rows" ? [] : ["prepared"];
}

/** Whether a method has one size only, whatever the budget. */
export function hasOneSize(method: Method): boolean {
  return method === "dense" || method === "removed";
}
