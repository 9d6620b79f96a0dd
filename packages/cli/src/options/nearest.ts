import leven from "leven";

/** The known name that takes the fewest edits from a given one. */
export function nearest(name: string, known: readonly string[]): string {
  const edits = known.map((candidate) => leven(name.toLowerCase(), candidate.toLowerCase()));
  return known[edits.indexOf(Math.min(...edits))];
}
