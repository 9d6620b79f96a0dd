import type { SealedFormat } from "@tt-rec/tensor";
import type { LogSchema } from "../log/log-schema.ts";
import type { PreparedWith } from "../prepare/prepare-options.ts";

/** Name of the manifest in a data set. It is written last: a folder without it is no data set. */
export const MANIFEST_FILE = "manifest.json";
/** The file of a data set's manifest. */
export const MANIFEST_FORMAT: SealedFormat = { file: MANIFEST_FILE, format: "tt-rec-dataset", version: 1 };

/** The parts of a data set, in the order of the log. */
export const SPLITS: readonly Split[] = ["train", "test", "validation"];

/** A part of a data set. */
export type Split = "train" | "test" | "validation";

/** Name of the Arrow file of a split. */
export function splitFile(split: Split): string {
  return `${split}.arrow`;
}

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

/** The file of dictionaries and access counts. */
export interface DictionariesFile {
  /** Name in the directory. */
  readonly name: string;
  /** SHA-256 of its bytes, in lower-case hex. */
  readonly sha256: string;
}

/** What a data set holds; the file `manifest.json`. */
export interface Manifest {
  /** Columns of the raw log. */
  readonly schema: LogSchema;
  /** Number of indices of each id column: the out-of-vocabulary id 0 and every id that was kept. */
  readonly cardinalities: readonly number[];
  /** Rows of each split. */
  readonly rows: Readonly<Record<Split, number>>;
  /** Bad rows that were skipped. */
  readonly badRows: number;
  /** The raw files and the good rows of each. */
  readonly sources: readonly SourceRows[];
  /** The options that it was prepared with. */
  readonly options: PreparedWith;
  /** One Arrow file for each split that has rows. */
  readonly files: readonly ManifestFile[];
  /** The file of dictionaries and access counts. */
  readonly dictionaries: DictionariesFile;
}
