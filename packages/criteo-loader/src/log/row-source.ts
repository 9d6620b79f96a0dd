import type { LogSchema } from "./log-schema.ts";
import type { RowBlock } from "./row-block.ts";

/** What a worker thread needs to open a part of a source; it can be sent to one. */
export interface SourceRecipe {
  /** Which kind of source it is. */
  readonly kind: "log";
  /** Path of the file. */
  readonly path: string;
  /** The lines that begin at these bytes, from the first to before the second; absent for the whole file. */
  readonly range?: readonly [start: number, end: number];
}

/** What sources of all kinds tell of themselves. */
export interface SourceFacts {
  /** Name that errors and the manifest give it, such as its path. */
  readonly name: string;
  /** Says whether the content is still that of an earlier run, such as size and time of change; without it no run is resumed. */
  identity?(): Promise<string>;
  /** Parts, in the order of the rows, that worker threads can open; without it the calling thread reads the source. */
  parts?(): Promise<readonly SourceRecipe[]>;
}

/** A raw click log: tab-separated lines, decompressed. */
export interface LogSource extends SourceFacts {
  /** The bytes, cut anywhere. May be called several times; each call starts at the first byte. */
  chunks(): AsyncIterable<Uint8Array>;
}

/** How far the reading of a source has come. */
export interface ScanState {
  /** Bad rows that may be skipped. */
  readonly maxBadRows: number;
  /** Bad rows skipped so far. */
  badRows: number;
  /** Lines read so far, bad ones too. */
  lines: number;
  /** Decompressed bytes read so far. */
  bytes: number;
}

/** A source of typed rows in a format of its own. */
export interface RowSource extends SourceFacts {
  /** The rows in order, in blocks of any size. Bad rows are counted in `state`; the first beyond its allowance throws `E_ROW`. */
  blocks(schema: LogSchema, state: ScanState): AsyncIterable<RowBlock>;
}
