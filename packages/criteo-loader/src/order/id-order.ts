import type { SavedDictionary } from "../dictionary/dictionaries-file.ts";
import type { LogSchema } from "../log/log-schema.ts";
import type { SketchedIds } from "./cooccurrence-sketch.ts";

/** Some training rows with learned ids. */
export interface LearnedBlock {
  readonly rows: number;
  readonly ids: readonly SketchedIds[];
}
/** What is known once the dictionaries are learned. */
export interface LearnedRows {
  readonly schema: LogSchema;
  readonly rows: number;
  readonly cardinalities: readonly number[];
  dictionary(column: number): Promise<SavedDictionary>;
  blocks(): AsyncIterable<LearnedBlock>;
}
/** New index of each index. */
export type IdOrder = (learned: LearnedRows) => Promise<readonly (Uint32Array | undefined)[]>;
