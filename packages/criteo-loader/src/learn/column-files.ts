import type { IdColumnKind } from "../log/log-schema.ts";
import { type ColumnRun, columnRuns, RUN_IDS } from "../stage/read-column.ts";
import type { Scratch, ScratchFile } from "../stage/scratch.ts";
import { bytesOf } from "../stage/stage-rows.ts";
import { type StagedSource, scratchName, stagedRows } from "../stage/staged-source.ts";

/** The scratch files of one id column over all sources, read and written in the order of the log. */
export class ColumnFiles {
  /** Words of a raw id. */
  readonly words: 1 | 2;
  readonly #scratch: Scratch;
  readonly #stages: readonly StagedSource[];
  readonly #kinds: readonly IdColumnKind[];
  readonly #column: number;
  readonly #open = new Map<string, ScratchFile>();

  constructor(scratch: Scratch, stages: readonly StagedSource[], kinds: readonly IdColumnKind[], column: number) {
    this.words = kinds[column].words;
    this.#scratch = scratch;
    this.#stages = stages;
    this.#kinds = kinds;
    this.#column = column;
  }

  /** Number of rows of the log. */
  get rows(): number {
    return stagedRows(this.#stages);
  }

  /** The runs of the rows [from, to). */
  runs(from: number, to: number): Generator<ColumnRun> {
    return columnRuns(this.#scratch, this.#stages, this.#kinds, this.#column, from, to);
  }

  /** A buffer that holds any run of raw ids. */
  rawBuffer(): Int32Array {
    return new Int32Array(RUN_IDS * this.words);
  }

  /** Reads the raw ids of a run. Those of one word are taken modulo `range`, on the unsigned value. */
  readRaw({ source, at, ids }: ColumnRun, into: Int32Array, range: number | null): void {
    this.#file(scratchName.raw(source, this.#column)).read(bytesOf(into.subarray(0, ids * this.words)), 4 * at * this.words);
    if (range === null || this.words !== 1) return;
    for (let i = 0; i < ids; i++) into[i] = (into[i] >>> 0) % range;
  }

  /** Reads the indices of a run from one set of files. */
  readIndices(files: "indices" | "ordered", { source, at, ids }: ColumnRun, into: Int32Array): void {
    this.#file(scratchName[files](source, this.#column)).read(bytesOf(into.subarray(0, ids)), 4 * at);
  }

  /** Writes the indices of a run into one set of files. */
  writeIndices(files: "indices" | "ordered", { source, at, ids }: ColumnRun, indices: Int32Array): void {
    this.#file(scratchName[files](source, this.#column)).write(bytesOf(indices.subarray(0, ids)), 4 * at);
  }

  /** Closes what was opened. */
  close(): void {
    for (const file of this.#open.values()) file.close();
    this.#open.clear();
  }

  #file(name: string): ScratchFile {
    let file = this.#open.get(name);
    if (file === undefined) {
      file = this.#scratch.open(name);
      this.#open.set(name, file);
    }
    return file;
  }
}
