import { alignColumns, significant } from "@tt-rec/testing";
import type { HeadlineResult } from "./results.ts";

const HEADER = ["row", "median", "unit", "rival", "theirs", "ratio", "min", "max", "rounds", "others", "target", "verdict"];

/** The results as a table; `ratio` is higher-is-better, `rounds` are those that the ratio counts, `others` cores of other processes. */
export function resultTable(results: readonly HeadlineResult[]): string {
  const rows = results.map((result) => [
    result.id,
    significant(result.median),
    result.unit,
    result.rival ?? "",
    significant(result.rivalMedian),
    significant(result.ratio),
    significant(result.ratioMin),
    significant(result.ratioMax),
    String(result.ratioRuns ?? result.runs),
    result.otherCores?.toFixed(2) ?? "",
    significant(result.target),
    verdict(result),
  ]);
  return alignColumns([HEADER, ...rows]);
}

/** How many targets are met, in a line. */
export function tally(results: readonly HeadlineResult[]): string {
  const count = (word: string): number => results.filter((result) => verdict(result).startsWith(word)).length;
  return `${count("met")} met, ${count("not met")} not met, ${count("missing")} missing, ${count("no quiet round")} without a quiet round`;
}

function verdict({ met, missing, target, ratio }: HeadlineResult): string {
  if (missing !== undefined) return `missing: ${missing}`;
  if (target === undefined) return "";
  if (ratio === undefined) return "no quiet round";
  return met ? "met" : "not met";
}
