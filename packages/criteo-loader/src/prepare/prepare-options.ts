import { TtError } from "@tt-rec/tensor";
import { CRITEO_SCHEMA, type LogSchema, validateSchema } from "../log/log-schema.ts";
import { SPLITS } from "../manifest/manifest.ts";
import { ID_ORDERS, type IdOrderName } from "../order/id-order.ts";
import type { RowShape } from "../order/similarity-order.ts";
import type { SplitRule } from "./split-rows.ts";

/** How the record batches of a data set may be compressed. */
export type Compression = "none" | "zstd";
const COMPRESSIONS: readonly Compression[] = ["none", "zstd"];

/** How far `prepare` has come. */
export interface PrepareProgress {
  /** What is being done: reading rows, learning dictionaries, renumbering by an id order, writing the files. */
  readonly pass: "scan" | "learn" | "order" | "encode";
  /** Good rows done so far in this pass; of columns and files that are done, their share. */
  readonly rows: number;
  /** Rows of the pass; unknown while rows are read. */
  readonly total?: number;
  /** Decompressed bytes read so far. */
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
  /** Another rule than days for what is held out, in their place. */
  readonly split?: SplitRule;
  /** Ids seen fewer times than this in training rows become the out-of-vocabulary id. Default 1. */
  readonly minFrequency?: number;
  /** Raw ids are taken modulo this number before anything else, 64-bit ones excepted. Default: they are not. */
  readonly maxIndexRange?: number;
  /** Bad rows that are skipped before one is an error. Default 0. */
  readonly maxBadRows?: number;
  /** Rows of an Arrow record batch, the unit of reading and shuffling. Default 8192. */
  readonly rowsPerBatch?: number;
  /** How ids are numbered. Default "first-seen", as in DLRM. */
  readonly idOrder?: IdOrderName;
  /** Row shape of a TT table of so many rows, as a model will factor it; `idOrder: "similarity"` needs it. */
  readonly rowShape?: RowShape;
  /** Rows of each table behind row 0; `idOrder: "hash"` needs it. */
  readonly hashSize?: number;
  /** Compression of the Arrow files: smaller, but slower to write and to read. Default "none". */
  readonly compression?: Compression;
  /** Replace the data set that the target holds. Default false. */
  readonly replace?: boolean;
  /** Called now and then with the progress. */
  readonly onProgress?: (progress: PrepareProgress) => void;
}

/** The options that decide what a data set holds, as its manifest records them. */
export interface PreparedWith {
  /** What is held out. */
  readonly split: SplitRule;
  /** See `PrepareOptions`. */
  readonly minFrequency: number;
  /** See `PrepareOptions`; null if raw ids are taken as they are. */
  readonly maxIndexRange: number | null;
  /** See `PrepareOptions`. */
  readonly maxBadRows: number;
  /** See `PrepareOptions`. */
  readonly rowsPerBatch: number;
  /** See `PrepareOptions`. */
  readonly idOrder: IdOrderName;
  /** See `PrepareOptions`; null unless ids are hashed. */
  readonly hashSize: number | null;
  /** See `PrepareOptions`; absent means "none". */
  readonly compression?: Compression;
}

/** Fills in the defaults. Throws `E_OPTION` if an option is outside its range. */
export function resolveOptions(options: PrepareOptions, sources: number): PreparedWith {
  validateSchema(options.schema ?? CRITEO_SCHEMA);
  if (options.split !== undefined && (options.days !== undefined || options.validationShare !== undefined)) {
    throw new TtError("E_OPTION", "the option split is another rule than days and validationShare; both cannot hold");
  }
  const {
    days = 7,
    validationShare = 0.5,
    minFrequency = 1,
    maxIndexRange = null,
    maxBadRows = 0,
    rowsPerBatch = 8192,
    compression = "none",
  } = options;
  const split = options.split ?? { by: "days", days, validationShare };
  const settings = {
    split,
    minFrequency,
    maxIndexRange,
    maxBadRows,
    rowsPerBatch,
    idOrder: options.idOrder ?? "first-seen",
    hashSize: options.hashSize ?? null,
    // Not recorded where it says nothing: the bytes of an uncompressed data set are those of versions that could not compress.
    ...(compression !== "none" && { compression }),
  };
  checkSettings(settings, sources);
  if (settings.idOrder === "similarity" && options.rowShape === undefined) {
    throw new TtError("E_OPTION", "idOrder = similarity needs rowShape, the shapes of the tables to come");
  }
  return settings;
}

/** Throws `E_OPTION` if a setting is outside its range. */
export function checkSettings(settings: PreparedWith, sources: number): void {
  checkSplit(settings.split, sources);
  requireWhole("minFrequency", settings.minFrequency, 1);
  if (settings.maxIndexRange !== null) requireWhole("maxIndexRange", settings.maxIndexRange, 1, 2 ** 32);
  requireWhole("maxBadRows", settings.maxBadRows, 0);
  requireWhole("rowsPerBatch", settings.rowsPerBatch, 1, 2 ** 20);
  if (settings.compression !== undefined && !COMPRESSIONS.includes(settings.compression)) {
    const given = JSON.stringify(settings.compression);
    throw new TtError("E_OPTION", `compression = ${given} is not one of ${COMPRESSIONS.join(", ")}`);
  }
  if (!ID_ORDERS.includes(settings.idOrder)) {
    throw new TtError("E_OPTION", `idOrder = ${JSON.stringify(settings.idOrder)} is not one of ${ID_ORDERS.join(", ")}`);
  }
  if ((settings.idOrder === "hash") !== (settings.hashSize !== null)) {
    throw new TtError(
      "E_OPTION",
      `hashSize = ${settings.hashSize} with idOrder = ${settings.idOrder}: hash needs a size, other orders have none`,
    );
  }
  if (settings.hashSize !== null) requireWhole("hashSize", settings.hashSize, 1, 2 ** 31 - 2);
  if (settings.hashSize !== null && settings.minFrequency > 1) {
    throw new TtError("E_OPTION", `minFrequency = ${settings.minFrequency} needs a dictionary, but idOrder = hash has none`);
  }
}

function checkSplit(rule: SplitRule, sources: number): void {
  if (rule.by === "days") {
    if (rule.days === "files") requireWhole("the number of sources under days = files", sources, 2);
    else requireWhole("days", rule.days, 2);
    requireShare("validationShare", rule.validationShare);
  } else if (rule.by === "fractions") {
    requireShare("split.test", rule.test);
    requireShare("split.validation", rule.validation);
    requireShare("split.test + split.validation", rule.test + rule.validation);
  } else if (rule.by === "ranges") {
    for (const split of SPLITS) {
      const [from, to] = rule[split];
      requireWhole(`split.${split}[1]`, to, requireWhole(`split.${split}[0]`, from, 0));
    }
  } else {
    throw new TtError("E_OPTION", `split.by = ${JSON.stringify((rule as SplitRule).by)} is not days, fractions or ranges`);
  }
}

function requireShare(name: string, share: number): void {
  if (!(share >= 0 && share <= 1)) throw new TtError("E_OPTION", `${name} = ${share} is not between 0 and 1`);
}

/** Returns a whole number within its bounds; throws `E_OPTION` otherwise. */
export function requireWhole(name: string, value: number, least: number, most: number = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? `at least ${least}` : `${least} to ${most}`;
    throw new TtError("E_OPTION", `${name} = ${value} is not a whole number of ${range}`);
  }
  return value;
}
