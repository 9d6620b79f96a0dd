import { TtError } from "@tt-rec/tensor";
import { CRITEO_SCHEMA, type LogSchema, validateSchema } from "../log/log-schema.ts";

/** How far `prepare` has come. */
export interface PrepareProgress {
  /** Which of the three passes is running: counting rows, learning dictionaries, encoding. */
  readonly pass: "count" | "learn" | "encode";
  /** Good rows read so far in this pass. */
  readonly rows: number;
  /** Decompressed bytes read so far in this pass. */
  readonly bytes: number;
}

/** Options of `prepare`. */
export interface PrepareOptions {
  /** Columns of the log. Default `CRITEO_SCHEMA`. */
  readonly schema?: LogSchema;
  /** Number of equal contiguous days, at least 2, or "files": each source is a day. The last day is held out. Default 7. */
  readonly days?: number | "files";
  /** Share of the last day, taken from its end, that is for validation; the rest is for the test. Default 0.5. */
  readonly validationShare?: number;
  /** Ids seen fewer times than this in training rows become the out-of-vocabulary id. Default 1. */
  readonly minFrequency?: number;
  /** Raw ids are taken modulo this number before anything else. Default: they are not. */
  readonly maxIndexRange?: number;
  /** Bad rows that are skipped before one is an error. Default 0. */
  readonly maxBadRows?: number;
  /** Rows of an Arrow record batch, the unit of reading and shuffling. Default 8192. */
  readonly rowsPerBatch?: number;
  /** Replace the data set that the target holds. Default false. */
  readonly replace?: boolean;
  /** Called now and then with the progress. */
  readonly onProgress?: (progress: PrepareProgress) => void;
}

/** The options that decide what a data set holds, as its manifest records them. */
export interface PreparedWith {
  /** See `PrepareOptions`. */
  readonly days: number | "files";
  /** See `PrepareOptions`. */
  readonly validationShare: number;
  /** See `PrepareOptions`. */
  readonly minFrequency: number;
  /** See `PrepareOptions`; null if raw ids are taken as they are. */
  readonly maxIndexRange: number | null;
  /** See `PrepareOptions`. */
  readonly maxBadRows: number;
  /** See `PrepareOptions`. */
  readonly rowsPerBatch: number;
}

/** Fills in the defaults. Throws `E_OPTION` if an option is outside its range. */
export function resolveOptions(options: PrepareOptions, sources: number): PreparedWith {
  validateSchema(options.schema ?? CRITEO_SCHEMA);
  const days = options.days ?? 7;
  if (days === "files") requireWhole("the number of sources under days = files", sources, 2);
  else requireWhole("days", days, 2);
  const validationShare = options.validationShare ?? 0.5;
  if (!(validationShare >= 0 && validationShare <= 1)) {
    throw new TtError("E_OPTION", `validationShare = ${validationShare} is not between 0 and 1`);
  }
  const maxIndexRange = options.maxIndexRange ?? null;
  if (maxIndexRange !== null) requireWhole("maxIndexRange", maxIndexRange, 1, 2 ** 32);
  return {
    days,
    validationShare,
    minFrequency: requireWhole("minFrequency", options.minFrequency ?? 1, 1),
    maxIndexRange,
    maxBadRows: requireWhole("maxBadRows", options.maxBadRows ?? 0, 0),
    rowsPerBatch: requireWhole("rowsPerBatch", options.rowsPerBatch ?? 8192, 1, 2 ** 20),
  };
}

/** Returns a whole number within its bounds; throws `E_OPTION` otherwise. */
export function requireWhole(name: string, value: number, least: number, most: number = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? `at least ${least}` : `${least} to ${most}`;
    throw new TtError("E_OPTION", `${name} = ${value} is not a whole number of ${range}`);
  }
  return value;
}
