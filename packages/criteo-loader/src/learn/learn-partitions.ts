import { mixBits } from "@tt-rec/tensor";
import type { SavedDictionary } from "../dictionary/dictionaries-file.ts";
import { type ColumnRun, RUN_IDS } from "../stage/read-column.ts";
import type { Scratch, ScratchFile } from "../stage/scratch.ts";
import { bytesOf } from "../stage/stage-rows.ts";
import type { ColumnFiles } from "./column-files.ts";
import { IdTable, mixPair } from "./id-table.ts";
import { type LearnRule, otherRuns } from "./learn-column.ts";

/** Words buffered for each partition. */
const BUFFER_WORDS = 1 << 14;

/**
 * Learns a column whose dictionary does not fit into the table's bytes. Raw ids are dealt out to partitions by their hash;
 * each partition is learned alone and turned into local indices, still in the order of the log. A last pass over
 * the log merges them: a local index that is met for the first time is the next id in first-seen order. Memory is one
 * partition's table, then 4 bytes an id of the column, then 12 for its dictionary.
 */
export function learnPartitions(
  files: ColumnFiles,
  column: number,
  rule: LearnRule,
  partitions: number,
  scratch: Scratch,
): SavedDictionary {
  const shift = 32 - Math.log2(partitions);
  const partitionOf = (raw: Int32Array, id: number): number =>
    (files.words === 1 ? mixBits(raw[id]) : mixPair(raw[2 * id], raw[2 * id + 1])) >>> shift;
  const runs = { train: [...files.runs(rule.train.from, rule.train.to)], other: otherRuns(files, rule) };
  const streams = Array.from({ length: partitions }, (_, part) => {
    const open = (kind: string): WordStream => new WordStream(scratch, `${column}.part${part}.${kind}`);
    return { train: open("train"), other: open("other"), trainLocal: open("train-local"), otherLocal: open("other-local") };
  });
  const raw = files.rawBuffer();
  try {
    for (const kind of ["train", "other"] as const) {
      for (const run of runs[kind]) {
        files.readRaw(run, raw, rule.maxIndexRange);
        for (let i = 0; i < run.ids; i++) {
          const stream = streams[partitionOf(raw, i)][kind];
          for (let word = 0; word < files.words; word++) stream.push(raw[i * files.words + word]);
        }
      }
    }
    const tables = streams.map((stream) => learnPartition(stream, files.words));
    return merge(files, rule, runs, streams, tables, partitionOf);
  } finally {
    for (const stream of streams.flatMap((kinds) => Object.values(kinds))) stream.remove();
  }
}

interface PartitionStreams {
  readonly train: WordStream;
  readonly other: WordStream;
  readonly trainLocal: WordStream;
  readonly otherLocal: WordStream;
}

/** Learns one partition and writes its local indices; its dictionary goes to scratch, behind them. */
function learnPartition(streams: PartitionStreams, words: 1 | 2): { size: number; read(): SavedDictionary } {
  // A hash that falls unevenly may exceed the share by some doublings; better that than to fail.
  const table = new IdTable(words);
  const raw = new Int32Array(RUN_IDS * words);
  const indices = new Int32Array(RUN_IDS);
  for (let ids = streams.train.read(raw) / words; ids > 0; ids = streams.train.read(raw) / words) {
    table.learn(raw, ids, indices);
    streams.trainLocal.write(indices.subarray(0, ids));
  }
  for (let ids = streams.other.read(raw) / words; ids > 0; ids = streams.other.read(raw) / words) {
    table.lookUp(raw, ids, indices);
    streams.otherLocal.write(indices.subarray(0, ids));
  }
  streams.train.remove();
  streams.other.remove();
  const { size } = table;
  const values = table.values();
  streams.train.write(new Int32Array(values.buffer, values.byteOffset, values.length));
  streams.other.write(new Int32Array(table.counts()));
  return {
    size,
    read() {
      const saved = { values: new Int32Array(size * words), counts: new Int32Array(size + 1) };
      streams.train.read(saved.values);
      streams.other.read(saved.counts);
      return { values: new Uint32Array(saved.values.buffer), counts: new Uint32Array(saved.counts.buffer) };
    },
  };
}

function merge(
  files: ColumnFiles,
  rule: LearnRule,
  runs: { readonly train: readonly ColumnRun[]; readonly other: readonly ColumnRun[] },
  streams: readonly PartitionStreams[],
  tables: readonly { size: number; read(): SavedDictionary }[],
  partitionOf: (raw: Int32Array, id: number) => number,
): SavedDictionary {
  const places = tables.map(({ size }) => new Uint32Array(size + 1));
  const raw = files.rawBuffer();
  const indices = new Int32Array(RUN_IDS);
  let known = 0;
  for (const kind of ["trainLocal", "otherLocal"] as const) {
    for (const run of kind === "trainLocal" ? runs.train : runs.other) {
      files.readRaw(run, raw, rule.maxIndexRange);
      for (let i = 0; i < run.ids; i++) {
        const part = partitionOf(raw, i);
        const local = streams[part][kind].next();
        if (local !== 0 && places[part][local] === 0) places[part][local] = ++known;
        indices[i] = places[part][local];
      }
      files.writeIndices("indices", run, indices);
    }
  }
  const { words } = files;
  const values = new Uint32Array(known * words);
  const counts = new Uint32Array(known + 1);
  for (const [part, table] of tables.entries()) {
    const saved = table.read();
    for (let local = 1; local <= table.size; local++) {
      const place = places[part][local];
      counts[place] = saved.counts[local];
      for (let word = 0; word < words; word++) values[(place - 1) * words + word] = saved.values[(local - 1) * words + word];
    }
  }
  return { values, counts };
}

/** Words in a scratch file, written one after the other and read back in that order. */
class WordStream {
  readonly #scratch: Scratch;
  readonly #name: string;
  #file: ScratchFile | undefined;
  #written = 0;
  #taken = 0;
  /** Words that are not written yet. */
  #behind: Int32Array = new Int32Array(0);
  #filled = 0;
  /** Words that are read but not handed out. */
  #ahead: Int32Array = new Int32Array(0);
  #position = 0;

  constructor(scratch: Scratch, name: string) {
    this.#scratch = scratch;
    this.#name = name;
    scratch.remove(name);
  }

  push(word: number): void {
    if (this.#behind.length === 0) this.#behind = new Int32Array(BUFFER_WORDS);
    this.#behind[this.#filled++] = word;
    if (this.#filled === BUFFER_WORDS) this.#flush();
  }

  write(words: Int32Array): void {
    this.#flush();
    this.#opened().write(bytesOf(words), 4 * this.#written);
    this.#written += words.length;
  }

  /** Fills the array with the next words; returns how many there were. */
  read(into: Int32Array): number {
    this.#flush();
    const count = Math.min(into.length, this.#written - this.#taken);
    if (count > 0) this.#opened().read(bytesOf(into.subarray(0, count)), 4 * this.#taken);
    this.#taken += count;
    return count;
  }

  /** The next word; there must be one. */
  next(): number {
    if (this.#position === this.#ahead.length) {
      this.#ahead = new Int32Array(Math.min(BUFFER_WORDS, this.#written - this.#taken));
      this.read(this.#ahead);
      this.#position = 0;
    }
    return this.#ahead[this.#position++];
  }

  /** Empties the stream and gives its memory back. */
  remove(): void {
    this.#file?.close();
    this.#file = undefined;
    this.#scratch.remove(this.#name);
    this.#behind = this.#ahead = new Int32Array(0);
    this.#filled = this.#written = this.#taken = this.#position = 0;
  }

  #flush(): void {
    const words = this.#behind.subarray(0, this.#filled);
    this.#filled = 0;
    if (words.length > 0) this.write(words);
  }

  #opened(): ScratchFile {
    this.#file ??= this.#scratch.open(this.#name);
    return this.#file;
  }
}
