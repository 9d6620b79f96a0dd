import { mixBits } from "@tt-rec/tensor";
import type { SavedDictionary } from "../dictionary/dictionaries-file.ts";
import { RUN_IDS } from "../stage/read-column.ts";
import type { ColumnFiles } from "./column-files.ts";
import { mixPair } from "./id-table.ts";
import type { LearnRule } from "./learn-column.ts";

/** Writes indices 1 to `size` of the first `ids` raw ids of `raw`: their hashes modulo `size`, plus 1. */
export function hashIndices(raw: Int32Array, words: 1 | 2, ids: number, size: number, indices: Int32Array): void {
  for (let i = 0; i < ids; i++) {
    const hash = words === 1 ? mixBits(raw[i]) : mixPair(raw[2 * i], raw[2 * i + 1]);
    indices[i] = 1 + ((hash >>> 0) % size);
  }
}

/** Writes the hashed indices of all rows of a column and counts those of the training rows. There are no values. */
export function hashColumn(files: ColumnFiles, rule: LearnRule, size: number): SavedDictionary {
  const raw = files.rawBuffer();
  const indices = new Int32Array(RUN_IDS);
  const counts = new Uint32Array(size + 1);
  const { from, to } = rule.train;
  for (const [first, last, training] of [
    [0, from, false],
    [from, to, true],
    [to, files.rows, false],
  ] as const) {
    for (const run of files.runs(first, last)) {
      files.readRaw(run, raw, rule.maxIndexRange);
      hashIndices(raw, files.words, run.ids, size, indices);
      if (training) for (let i = 0; i < run.ids; i++) counts[indices[i]]++;
      files.writeIndices("indices", run, indices);
    }
  }
  return { values: new Uint32Array(0), counts };
}
