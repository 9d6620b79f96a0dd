import type { Directory } from "@tt-rec/tensor";
import { saveDictionary } from "../dictionary/dictionaries-file.ts";
import { ColumnFiles } from "../learn/column-files.ts";
import { type LearnRule, learnColumn, renumber } from "../learn/learn-column.ts";
import { idColumnKinds, type LogSchema } from "../log/log-schema.ts";
import type { RowBlock } from "../log/row-block.ts";
import type { LogSource, RowSource, ScanState, SourceRecipe } from "../log/row-source.ts";
import { scanRows } from "../log/scan-rows.ts";
import { countHistogram, type DictionaryFile, type ManifestFile } from "../manifest/manifest.ts";
import { readRows } from "../stage/read-rows.ts";
import type { Scratch } from "../stage/scratch.ts";
import { type RoomCounters, stageRows } from "../stage/stage-rows.ts";
import { type StagedPiece, type StagedSource, scratchName } from "../stage/staged-source.ts";
import type { PreparedWith } from "./prepare-options.ts";
import type { PlannedFile } from "./split-rows.ts";
import { writeSplitFile } from "./write-dataset.ts";

/** Which indices of a column are meant: as learned, or renumbered by an id order. */
export type IndexFiles = "indices" | "ordered";

/** Reads a part of a source into scratch. */
export interface ScanTask {
  readonly kind: "scan";
  readonly source: number;
  /** A recipe can be sent to another thread, a source cannot. */
  readonly part: SourceRecipe | LogSource | RowSource;
  readonly schema: LogSchema;
  readonly maxBadRows: number;
  readonly room: RoomCounters;
}

/** What a scan found. */
export interface ScanResult {
  readonly pieces: readonly StagedPiece[];
  readonly badRows: number;
  readonly lines: number;
  readonly bytes: number;
}

/** Learns a column. */
export interface LearnTask {
  readonly kind: "learn";
  readonly column: number;
  readonly schema: LogSchema;
  readonly stages: readonly StagedSource[];
  readonly rule: LearnRule;
  /** Where the dictionary goes: the data set, or beside it while an id order is still to come. */
  readonly dictionary: "target" | "aside";
}

/** What was learned. */
export interface LearnResult {
  readonly cardinality: number;
  readonly histogram: readonly number[];
  readonly file: DictionaryFile;
}

/** Renumbers a column by an id order. */
interface OrderTask {
  readonly kind: "order";
  readonly column: number;
  readonly schema: LogSchema;
  readonly stages: readonly StagedSource[];
  readonly places: Uint32Array;
}

/** Writes an Arrow file. */
export interface EncodeTask {
  readonly kind: "encode";
  readonly file: PlannedFile;
  readonly schema: LogSchema;
  readonly stages: readonly StagedSource[];
  readonly settings: PreparedWith;
  readonly files: readonly IndexFiles[];
}

/** A piece of the work of `prepare` that needs nothing but its own fields and the files of its place. */
export type Task = ScanTask | LearnTask | OrderTask | EncodeTask;

/** What the tasks of each kind give. */
export interface TaskResults {
  readonly scan: ScanResult;
  readonly learn: LearnResult;
  readonly order: undefined;
  readonly encode: ManifestFile;
}

/** Where tasks find their files; each thread has its own view of the same place. */
export interface TaskPlace {
  /** Columns between the stages. */
  readonly scratch: Scratch;
  /** The data set. */
  readonly target: Directory;
  /** Small files that are needed until the data set is complete. */
  readonly aside: Directory;
  /** Opens a part of a source. */
  open(recipe: SourceRecipe): LogSource | RowSource;
}

/** Rows and bytes that were done since it was called last. */
export type Tell = (rows: number, bytes: number) => void;

/** Does a task. */
export async function runTask(task: Task, place: TaskPlace, tell: Tell): Promise<TaskResults[Task["kind"]]> {
  if (task.kind === "scan") return scan(task, place, tell);
  if (task.kind === "encode") {
    const { file, schema, stages, settings, files } = task;
    const blocks = readRows(place.scratch, stages, schema, files, file.from, file.to);
    return writeSplitFile(place.target, file, blocks, schema, settings);
  }
  const { column, schema, stages } = task;
  const files = new ColumnFiles(place.scratch, stages, idColumnKinds(schema), column);
  try {
    if (task.kind === "order") {
      renumber(files, task.places, "indices", "ordered");
      return undefined;
    }
    const dictionary = learnColumn(files, column, task.rule, place.scratch);
    const file = await saveDictionary(place[task.dictionary], column, dictionary);
    return { cardinality: dictionary.counts.length, histogram: countHistogram(dictionary.counts), file };
  } finally {
    files.close();
  }
}

async function scan({ source, part, schema, maxBadRows, room }: ScanTask, place: TaskPlace, tell: Tell): Promise<ScanResult> {
  const state: ScanState = { maxBadRows, badRows: 0, lines: 0, bytes: 0 };
  const opened = "kind" in part ? place.open(part) : part;
  let told = 0;
  const pieces = await stageRows(blocksOf(opened, schema, state), source, schema, place.scratch, room, (rows) => {
    tell(rows, state.bytes - told);
    told = state.bytes;
  });
  const { badRows, lines, bytes } = state;
  return { pieces, badRows, lines, bytes };
}

/** The rows of a source of either kind. */
export function blocksOf(source: LogSource | RowSource, schema: LogSchema, state: ScanState): AsyncIterable<RowBlock> {
  return "blocks" in source ? source.blocks(schema, state) : scanRows(source, schema, state);
}

/** Removes the scratch files of a source. */
export function removeScratch(scratch: Scratch, source: number, columns: number): void {
  scratch.remove(scratchName.labels(source));
  scratch.remove(scratchName.dense(source));
  for (let column = 0; column < columns; column++) {
    for (const kind of ["raw", "lengths", "indices", "ordered"] as const) scratch.remove(scratchName[kind](source, column));
  }
}
