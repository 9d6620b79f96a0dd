import type { SealedFormat } from "@tt-rec/tensor";
import type { LogSchema } from "../log/log-schema.ts";
import type { PreparedWith } from "../prepare/prepare-options.ts";

/** Name of the manifest in a data set. It is written last: a folder without it is no data set. */
export const MANIFEST_FILE = "manifest.json";
/** The file of a data set's manifest. */
export const MANIFEST_FORMAT: SealedFormat = { file: MANIFEST_FILE, format: "tt-rec-dataset", version: 2 };

/** The parts of a data set, in the order of the log. */
export const SPLITS: readonly Split[] = ["train", "test", "validation"];

/** A part of a data set. */
export type Split = "train" | "test" | "validation";

/** An Arrow record batch in its file. */
export interface BatchRegion {
  /** Position of its first byte. */
  readonly offset: number;
  /** Number of bytes, its message included. */
  readonly byteLength: number;
  /** Rows of the record batch: `rowsPerBatch`, fewer in the last. */
  readonly rows: number;
  /** SHA-256 of the bytes, in lower-case hex. */
  readonly sha256: string;
}

/** An Arrow IPC file: Arrow's header, the record batches, Arrow's footer. */
export interface ManifestFile {
  /** Name in the directory. */
  readonly name: string;
  /** Part that its rows belong to. */
  readonly split: Split;
  /** Day that its rows come from, from 0. */
  readonly day: number;
  /** Length in bytes. */
  readonly byteLength: number;
  /** SHA-256 of the whole file, as `sha256sum` gives it. */
  readonly sha256: string;
  /** Rows in all record batches. */
  readonly rows: number;
  /** The record batches in order, without a gap between them. */
  readonly batches: readonly BatchRegion[];
}

/** A raw file of the log. */
export interface SourceRows {
  /** Name of the source. */
  readonly name: string;
  /** Good rows in it. */
  readonly rows: number;
}

/** The file with the dictionary and the access counts of an id column. */
export interface DictionaryFile {
  /** Name in the directory. */
  readonly name: string;
  /** Length in bytes. */
  readonly byteLength: number;
  /** SHA-256 of its bytes, in lower-case hex. */
  readonly sha256: string;
}

/** What a data set holds; the file `manifest.json`. */
export interface Manifest {
  /** Columns of the raw log. */
  readonly schema: LogSchema;
  /** Number of indices of each id column: the out-of-vocabulary id 0 and every id that was kept. */
  readonly cardinalities: readonly number[];
  /**
   * For each id column, how many kept ids training rows have 2^k to 2^(k+1) - 1 times, for k = 0, 1, …; it ends with the
   * last k that any id has.
   */
  readonly histograms: readonly (readonly number[])[];
  /** Rows of each split. */
  readonly rows: Readonly<Record<Split, number>>;
  /** Bad rows that were skipped. */
  readonly badRows: number;
  /** The raw files and the good rows of each. */
  readonly sources: readonly SourceRows[];
  /** The options that it was prepared with. */
  readonly options: PreparedWith;
  /** One Arrow file for each day of each split that has rows, in the order of the splits and the log. */
  readonly files: readonly ManifestFile[];
  /** One file for each id column. */
  readonly dictionaries: readonly DictionaryFile[];
}

/** How many ids fall between each power of two and the next, by their counts; index 0 and unseen ids are left out. */
export function countHistogram(counts: Uint32Array): number[] {
  const histogram: number[] = [];
  for (const count of counts.subarray(1)) {
    if (count === 0) continue;
    const power = 31 - Math.clz32(count);
    while (histogram.length <= power) histogram.push(0);
    histogram[power]++;
  }
  return histogram;
}
