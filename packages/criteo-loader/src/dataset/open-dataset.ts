import { type Directory, isTtError, type ReadAt, TtError } from "@tt-rec/tensor";
import { loadDictionary } from "../dictionary/dictionaries-file.ts";
import { denseWidth, idColumnKinds } from "../log/log-schema.ts";
import type { RowBlock } from "../log/row-block.ts";
import { type Manifest, type ManifestFile, SPLITS, type Split } from "../manifest/manifest.ts";
import { readManifest } from "../manifest/read-manifest.ts";
import { requireWhole } from "../prepare/prepare-options.ts";
import type { DatasetBatch } from "./batch.ts";
import { readBatches } from "./read-batches.ts";
import { type OpenFile, readWindow } from "./read-window.ts";
import { dropNegatives, keepAll } from "./sub-sample.ts";
import { planWindows, type RowWindow, type Shuffle } from "./window-plan.ts";

/** Options of `Dataset.batches`. */
export interface BatchOptions {
  /** Which part. */
  readonly split: Split;
  /** Samples of a batch; the last one may be short. */
  readonly batchSize: number;
  /**
   * Visit the rows in random order: "total" (or true) mixes all days, "day" keeps the days one after the other,
   * "none" (or false, the default) keeps the order of the log. Record batches are taken in random order, and rows are mixed
   * within eight of them at a time, which bounds the memory to two such windows.
   */
  readonly shuffle?: boolean | Shuffle;
  /** Share of the rows with label 0 that is left out, at least 0 and below 1; `seed` and `epoch` say which. Default 0. */
  readonly dropNegatives?: number;
  /** Seed of the order, a uint32. Default 0. */
  readonly seed?: number;
  /** Epoch, a uint32; each has its own order. Default 0. */
  readonly epoch?: number;
  /**
   * Number of the first batch, from 0: the batches from there on are those of an epoch without it. Default 0. Under
   * `dropNegatives` the rows before it are read, since only their labels tell how many are left out.
   */
  readonly start?: number;
}

/** A prepared data set, opened for reading. */
export interface Dataset {
  /** What it holds. */
  readonly manifest: Manifest;
  /** Number of rows of each table: its largest index and 1. */
  readonly cardinalities: readonly number[];
  /** Whole-number columns F. */
  readonly denseFeatures: number;
  /** Names of the id columns, in the order of the tables. */
  readonly tableNames: readonly string[];
  /** Number of samples in a split. */
  rows(split: Split): number;
  /**
   * Streams the batches of a split; the next record batches are read while the consumer works. Throws `E_OPTION` at
   * once, and while reading `E_CORRUPT` with file and record batch when bytes are not as they were written, `E_IO` if the
   * files are compressed and zstd cannot be loaded.
   */
  batches(options: BatchOptions): AsyncIterable<DatasetBatch>;
  /** For each table, how often training rows have each index. Throws `E_CORRUPT`. */
  accessCounts(): Promise<Uint32Array[]>;
}

/**
 * Opens a data set. Throws `E_NOT_FOUND` if there is none, `E_VERSION` if its format is newer, `E_CORRUPT` if the
 * manifest is damaged or a file is missing or has another length than it says.
 */
export async function openDataset(directory: Directory): Promise<Dataset> {
  const manifest = await readManifest(directory);
  const files: OpenFile[] = [];
  for (const file of manifest.files) files.push({ file, input: await openListed(directory, file) });
  for (const dictionary of manifest.dictionaries) await openListed(directory, dictionary);
  const { schema } = manifest;
  const widths = { dense: denseWidth(schema), lists: idColumnKinds(schema).map(({ list }) => list) };
  return {
    manifest,
    cardinalities: manifest.cardinalities,
    denseFeatures: widths.dense,
    tableNames: schema.ids,
    rows: (split) => manifest.rows[checkedSplit(split)],
    batches(options) {
      const { split, batchSize, shuffle = "none", dropNegatives: dropped = 0, seed = 0, epoch = 0, start = 0 } = options;
      checkedSplit(split);
      requireWhole("batchSize", batchSize, 1);
      requireWhole("start", start, 0);
      requireWhole("seed", seed, 0, 2 ** 32 - 1);
      requireWhole("epoch", epoch, 0, 2 ** 32 - 1);
      if (!(dropped >= 0 && dropped < 1)) throw new TtError("E_OPTION", `dropNegatives = ${dropped} is not in [0, 1)`);
      const keep = dropNegatives(dropped, seed, epoch);
      const own = files.filter(({ file }) => file.split === split);
      const days = own.map(({ file: { batches } }, file) => batches.map(({ rows }, batch) => ({ file, batch, rows })));
      const windows = planWindows(days, checkedShuffle(shuffle), seed, epoch);
      let skip = start * batchSize;
      let first = 0;
      while (keep === keepAll && first < windows.length && skip >= windows[first].rows) skip -= windows[first++].rows;
      const load = (window: RowWindow): Promise<RowBlock> => readWindow(window, own, manifest, keep);
      return readBatches(windows.slice(first), load, widths, batchSize, skip);
    },
    accessCounts: () =>
      Promise.all(schema.ids.map(async (_, column) => (await loadDictionary(directory, manifest, column)).counts)),
  };
}

function checkedSplit(split: Split): Split {
  if (SPLITS.includes(split)) return split;
  throw new TtError("E_OPTION", `split = ${JSON.stringify(split)} is not one of ${SPLITS.join(", ")}`);
}

function checkedShuffle(shuffle: boolean | Shuffle): Shuffle {
  if (typeof shuffle === "boolean") return shuffle ? "total" : "none";
  if (["total", "day", "none"].includes(shuffle)) return shuffle;
  throw new TtError("E_OPTION", `shuffle = ${JSON.stringify(shuffle)} is not total, day or none`);
}

/** Opens a file of the manifest. Throws `E_CORRUPT` if it is missing or has another length. */
export async function openListed(
  directory: Directory,
  { name, byteLength }: Pick<ManifestFile, "name" | "byteLength">,
): Promise<ReadAt> {
  const input = await openPresent(directory, name);
  if (input.byteLength === byteLength) return input;
  throw new TtError("E_CORRUPT", `${name} has ${input.byteLength} bytes, the manifest says ${byteLength}`, { file: name });
}

async function openPresent(directory: Directory, name: string): Promise<ReadAt> {
  try {
    return await directory.read(name);
  } catch (error) {
    if (!isTtError(error) || error.code !== "E_NOT_FOUND") throw error;
    throw new TtError("E_CORRUPT", `the manifest lists ${name}, which is missing`, { file: name }, { cause: error });
  }
}
