import { createRng, shuffleInPlace } from "@tt-rec/tensor";
import type { Numbering } from "./methods.ts";

/** Seed of random numberings: one for all runs, as a dictionary is one for all runs. */
const SEED = 7;

/**
 * The new id of each old one, for each table; undefined where ids stay as they were prepared. Id 0, which stands for unknown
 * ones, stays 0.
 */
export function numberIds(numbering: Numbering, counts: readonly ArrayLike<number>[]): Uint32Array[] | undefined {
  if (numbering === "prepared") return undefined;
  return counts.map((table, t) => {
    const ids = Uint32Array.from({ length: table.length }, (_, id) => id);
    const known = ids.subarray(1);
    // Of equally frequent ids the smaller one first.
    if (numbering === "frequency") known.sort((a, b) => table[b] - table[a] || a - b);
    else shuffleInPlace(known, createRng(SEED, t));
    const numbers = new Uint32Array(ids.length);
    for (const [number, id] of ids.entries()) numbers[id] = number;
    return numbers;
  });
}
