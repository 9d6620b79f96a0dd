import type { Dataset } from "@tt-rec/criteo-loader";
import type { Measurement } from "../harness/figure.ts";

const POINTS = 20;
/** Rows whose set is followed: the deck's. */
const TOP = 10_000;
/** Tables that are followed, the largest ones. */
const TABLES = 3;

/** How the set of the most-accessed rows of the largest tables settles while the training rows go by. */
export async function* stability(dataset: Dataset, data: string): AsyncGenerator<Measurement> {
  const { cardinalities, tableNames } = dataset;
  const chosen = cardinalities.map((_, t) => t).sort((a, b) => cardinalities[b] - cardinalities[a]);
  const counts = chosen.slice(0, TABLES).map((t) => new Uint32Array(cardinalities[t]));
  const sets: Set<number>[][] = counts.map(() => []);
  const every = Math.ceil(dataset.rows("train") / POINTS);
  for await (const { bags } of dataset.batches({ split: "train", batchSize: every })) {
    for (const [place, count] of counts.entries()) {
      for (const id of bags[chosen[place]].indices) count[id]++;
      sets[place].push(topRows(count));
    }
  }
  for (const [place, count] of counts.entries()) {
    const last = sets[place][sets[place].length - 1];
    const total = count.reduce((a, b) => a + b, 0);
    const accesses = (set: Set<number>): number => [...set].reduce((sum, id) => sum + count[id], 0);
    for (const [point, set] of sets[place].entries()) {
      const seen = (point + 1) / sets[place].length;
      yield {
        id: `stability/${tableNames[chosen[place]]}/${Math.round(100 * seen)}`,
        case: { part: "stability", table: tableNames[chosen[place]], rows: count.length, seen },
        ...{ engine: "counting", phase: "train", unit: "share of the final set", data },
        values: [[...set].filter((id) => last.has(id)).length / last.size],
        also: { shareOfAccesses: accesses(set) / total, rows: last.size },
      };
    }
  }
}

/** The rows that were accessed most, at most `TOP` and at most half of those accessed; of equal ones the first. */
function topRows(counts: Uint32Array): Set<number> {
  const accessed = Array.from(counts.keys()).filter((id) => counts[id] > 0);
  const size = Math.min(TOP, Math.ceil(accessed.length / 2));
  return new Set(accessed.sort((a, b) => counts[b] - counts[a] || a - b).slice(0, size));
}
