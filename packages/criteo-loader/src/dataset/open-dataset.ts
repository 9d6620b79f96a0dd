import { type Directory, isTtError, type ReadAt, TtError } from "@tt-rec/tensor";
import { recordBatchDecoder } from "../arrow/read-record-batch.ts";
import { loadDictionaries } from "../dictionary/dictionaries-file.ts";
import { type Manifest, type ManifestFile, SPLITS, type Split, splitFile } from "../manifest/manifest.ts";
import { readManifest } from "../manifest/read-manifest.ts";
import { requireWhole } from "../prepare/prepare-options.ts";
import type { DatasetBatch } from "./batch.ts";
import { readBatches } from "./read-batches.ts";
import { readWindow } from "./read-window.ts";
import { plainWindows, shuffledWindows } from "./window-plan.ts";

/** Options of `Dataset.batches`. */
export interface BatchOptions {
  /** Which part. */
  readonly split: Split;
  /** Samples of a batch; the last one may be short. */
  readonly batchSize: number;
  /**
   * Visit the rows in random order. Default false. Record batches are taken in random order, and rows are mixed
   * within eight of them at a time, which bounds the memory to two such windows.
   */
  readonly shuffle?: boolean;
  /** Seed of the order, a uint32. Default 0. */
  readonly seed?: number;
  /** Epoch, a uint32; each has its own order. Default 0. */
  readonly epoch?: number;
  /** Number of the first batch, from 0: the batches from there on are those of an epoch without it. Default 0. */
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
   * once, and while reading `E_CORRUPT` with file and record batch when bytes are not as they were written.
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
  const inputs = new Map<string, ReadAt>();
  for (const file of manifest.files) inputs.set(file.name, await openListed(directory, file));
  await openPresent(directory, manifest.dictionaries.name);
  const decode = recordBatchDecoder(manifest.schema);
  const widths = { dense: manifest.schema.dense.length, ids: manifest.schema.ids.length };
  return {
    manifest,
    cardinalities: manifest.cardinalities,
    denseFeatures: widths.dense,
    tableNames: manifest.schema.ids,
    rows: (split) => manifest.rows[checkedSplit(split)],
    batches(options) {
      const { split, batchSize, shuffle = false, seed = 0, epoch = 0, start = 0 } = options;
      const name = splitFile(checkedSplit(split));
      requireWhole("batchSize", batchSize, 1);
      requireWhole("start", start, 0);
      requireWhole("seed", seed, 0, 2 ** 32 - 1);
      requireWhole("epoch", epoch, 0, 2 ** 32 - 1);
      const file = manifest.files.find((listed) => listed.name === name);
      const input = inputs.get(name);
      if (file === undefined || input === undefined) return noBatches();
      const rows = file.batches.map((batch) => batch.rows);
      const windows = shuffle ? shuffledWindows(rows, seed, epoch) : plainWindows(rows);
      return readBatches(windows, (window) => readWindow(window, input, file, manifest, decode), widths, batchSize, start);
    },
    async accessCounts() {
      return (await loadDictionaries(directory, manifest)).map(({ counts }) => counts);
    },
  };
}

async function* noBatches(): AsyncGenerator<DatasetBatch> {}

function checkedSplit(split: Split): Split {
  if (SPLITS.includes(split)) return split;
  throw new TtError("E_OPTION", `split = ${JSON.stringify(split)} is not one of ${SPLITS.join(", ")}`);
}

/** Opens a file of the manifest. Throws `E_CORRUPT` if it is missing or has another length. */
export async function openListed(directory: Directory, { name, byteLength }: ManifestFile): Promise<ReadAt> {
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
