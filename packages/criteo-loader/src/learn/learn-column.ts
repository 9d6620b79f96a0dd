import type { SavedDictionary } from "../dictionary/dictionaries-file.ts";
import type { RowRange } from "../prepare/split-rows.ts";
import { type ColumnRun, RUN_IDS } from "../stage/read-column.ts";
import type { Scratch } from "../stage/scratch.ts";
import type { ColumnFiles } from "./column-files.ts";
import { hashColumn } from "./hash-column.ts";
import { IdTable, tableBytes } from "./id-table.ts";
import { learnPartitions } from "./learn-partitions.ts";

/** Each partition has four open files and two buffers. */
const MOST_PARTITIONS = 64;

/** How the dictionary of a column is learned. */
export interface LearnRule {
  /** Training rows; only they decide. */
  readonly train: RowRange;
  /** Ids seen fewer times become index 0. */
  readonly minFrequency: number;
  /** Raw ids of one word are taken modulo this; null takes them as they are. */
  readonly maxIndexRange: number | null;
  /** Indices are hashes modulo this, plus 1; null learns a dictionary. */
  readonly hashSize: number | null;
  /** Bytes that the hash table may take. */
  readonly tableBytes: number;
}

/**
 * Learns the dictionary of a column from its training rows, in order of first appearance, and writes the indices of all
 * its rows. A table that would outgrow its bytes is learned in partitions instead, with the same result.
 */
export function learnColumn(files: ColumnFiles, column: number, rule: LearnRule, scratch: Scratch): SavedDictionary {
  if (rule.hashSize !== null) return hashColumn(files, rule, rule.hashSize);
  const learned = learnInMemory(files, rule) ?? learnPartitions(files, column, rule, partitionsFor(files, rule), scratch);
  return rule.minFrequency > 1 ? dropRare(files, learned, rule.minFrequency) : learned;
}

/** The rows of the log beside the training rows. */
export function otherRuns(files: ColumnFiles, { train }: LearnRule): ColumnRun[] {
  return [...files.runs(0, train.from), ...files.runs(train.to, files.rows)];
}

function learnInMemory(files: ColumnFiles, rule: LearnRule): SavedDictionary | undefined {
  const table = new IdTable(files.words, rule.tableBytes);
  const raw = files.rawBuffer();
  const indices = new Int32Array(RUN_IDS);
  for (const run of files.runs(rule.train.from, rule.train.to)) {
    files.readRaw(run, raw, rule.maxIndexRange);
    if (table.learn(raw, run.ids, indices) < run.ids) return undefined;
    files.writeIndices("indices", run, indices);
  }
  for (const run of otherRuns(files, rule)) {
    files.readRaw(run, raw, rule.maxIndexRange);
    table.lookUp(raw, run.ids, indices);
    files.writeIndices("indices", run, indices);
  }
  return { values: table.values(), counts: table.counts() };
}

/** A number of partitions, a power of two, each of which fits even if no training id comes twice. */
function partitionsFor(files: ColumnFiles, rule: LearnRule): number {
  let ids = 0;
  for (const run of files.runs(rule.train.from, rule.train.to)) ids += run.ids;
  let partitions = 2;
  while (partitions < MOST_PARTITIONS && tableBytes(Math.ceil((1.1 * ids) / partitions), files.words) > rule.tableBytes)
    partitions *= 2;
  return partitions;
}

/** Turns indices of ids seen fewer than `minFrequency` times into 0 and closes the gaps. */
function dropRare(files: ColumnFiles, { values, counts }: SavedDictionary, minFrequency: number): SavedDictionary {
  const places = new Uint32Array(counts.length);
  let kept = 0;
  let dropped = counts[0];
  for (let index = 1; index < counts.length; index++) {
    if (counts[index] >= minFrequency) places[index] = ++kept;
    else dropped += counts[index];
  }
  renumber(files, places, "indices", "indices");
  const { words } = files;
  const keptValues = new Uint32Array(kept * words);
  const keptCounts = new Uint32Array(kept + 1);
  keptCounts[0] = dropped;
  for (let index = 1; index < counts.length; index++) {
    const place = places[index];
    if (place === 0) continue;
    keptCounts[place] = counts[index];
    for (let word = 0; word < words; word++) keptValues[(place - 1) * words + word] = values[(index - 1) * words + word];
  }
  return { values: keptValues, counts: keptCounts };
}

/** Replaces every index of a column by its new place. */
export function renumber(files: ColumnFiles, places: Uint32Array, from: "indices", to: "indices" | "ordered"): void {
  const indices = new Int32Array(RUN_IDS);
  for (const run of files.runs(0, files.rows)) {
    files.readIndices(from, run, indices);
    for (let i = 0; i < run.ids; i++) indices[i] = places[indices[i]];
    files.writeIndices(to, run, indices);
  }
}
