import type { Split } from "@tt-rec/dlrm";
import type { CoreStorage, RowStorage, ShapeRule } from "@tt-rec/tt-math";
import type { GenerateOptions } from "../commands/generate.ts";
import type { PrepareSettings } from "../commands/prepare.ts";
import { type BytesSetting, bytesOption } from "./bytes-option.ts";
import { CACHE_STORAGE } from "./cache-storage-option.ts";
import { MACHINE_OPTIONS } from "./machine-options.ts";
import {
  booleanOption,
  choiceOption,
  integerOption,
  integersOption,
  numberOption,
  type OptionSpec,
  textOption,
} from "./option-spec.ts";
import type { RawSettings } from "./resolve-settings.ts";
import { SHAPES } from "./shapes-option.ts";
import { SPLIT } from "./split-option.ts";

/** Specifications of a command's settings, by name. */
export type OptionSpecs<T> = { readonly [name in keyof T]: OptionSpec<T[name]> };

/** Flags of `generate`. */
export const GENERATE_OPTIONS: OptionSpecs<GenerateOptions> = {
  rows: integerOption(100_000, 1, "Rows to write"),
  scale: numberOption(0.01, false, "Share of Criteo Kaggle's cardinalities; 1 has 33.8 million ids"),
  seed: integerOption(1, 0, "Seed of the whole log"),
};

type PrepareFlags = Required<
  Pick<
    PrepareSettings,
    | "schema"
    | "split"
    | "days"
    | "validationShare"
    | "flagMissing"
    | "minFrequency"
    | "maxIndexRange"
    | "maxBadRows"
    | "idOrder"
    | "hashSize"
    | "compression"
    | "engine"
    | "replace"
    | "threads"
    | "memory"
  >
>;

const DAYS: OptionSpec<number | "files"> = {
  default: 7,
  description: 'Equal contiguous parts of the log, the last of which is held out, or "files": each file is a day',
  placeholder: "n|files",
  schema: { anyOf: [{ type: "integer", minimum: 2 }, { const: "files" }] },
  parse: (name, value) => (value === "files" ? value : integerOption(7, 2, "").parse(name, value)),
};

/** Flags of `prepare`. */
export const PREPARE_OPTIONS: OptionSpecs<PrepareFlags> = {
  schema: textOption(
    "",
    "file",
    "JSON file that names the columns of a CSV, TSV, Parquet or Arrow log; without it, logs are Criteo's",
  ),
  split: SPLIT,
  days: DAYS,
  validationShare: numberOption(0.5, true, "Share of the last day, from its end, for validation; the rest is the test"),
  minFrequency: integerOption(1, 1, "Ids seen fewer times in the training rows become the out-of-vocabulary id"),
  maxIndexRange: integerOption(0, 0, "Raw ids are taken modulo this number; 0 takes them as they are"),
  maxBadRows: integerOption(0, 0, "Malformed rows to skip and count before one is an error"),
  idOrder: choiceOption(
    "first-seen",
    ["first-seen", "frequency", "similarity", "hash"],
    "How ids are numbered: similarity puts ids beside each other that occur together with the same ones, for TT tables",
  ),
  hashSize: integerOption(0, 0, "Rows of every table under --id-order hash"),
  compression: choiceOption("none", ["none", "zstd"], "Compression of the Arrow files: smaller, but slower to write and read"),
  engine: choiceOption(
    "native",
    ["native", "duckdb"],
    "What does the work; duckdb needs --id-order frequency and an optional package",
  ),
  flagMissing: booleanOption(
    false,
    "Add a dense feature to each number column: 1 where the number is missing, which by itself is a 0",
  ),
  replace: booleanOption(false, "Replace the data set that the folder holds"),
  threads: { ...MACHINE_OPTIONS.threads, description: "Threads that work; their number changes nothing in the data set" },
  memory: integerOption(2 ** 30, 2 ** 20, "Bytes for hash tables; a dictionary that needs more is learned in parts"),
};

/** Settings of `plan` that its flags can give. */
export interface PlanFlags {
  /** Published table sizes. */
  readonly preset: "kaggle" | "terabyte";
  /** Rows of each table. */
  readonly cardinalities: readonly number[];
  /** How many of the largest tables to store as TT-cores. */
  readonly tables: number;
  /** TT-ranks to compare. */
  readonly ranks: readonly number[];
  /** Columns D. */
  readonly embeddingDim: number;
  /** Bytes that all tables may take. */
  readonly budget: BytesSetting;
  /** How many times smaller the tables get. */
  readonly ratio: number;
  /** How row factors are chosen. */
  readonly shapes: ShapeRule;
  /** How cached rows are held. */
  readonly cacheStorage: RowStorage;
}

/** Flags of `plan`. */
export const PLAN_OPTIONS: OptionSpecs<PlanFlags> = {
  preset: choiceOption("kaggle", ["kaggle", "terabyte"], "Table sizes of Criteo Kaggle (D = 16) or Terabyte (D = 64)"),
  cardinalities: integersOption([], ",", "Rows of each table"),
  tables: integerOption(7, 0, "How many of the largest tables to store as TT-cores; with a budget the most that may be"),
  ranks: integersOption([8, 16, 32, 64], ",", "TT-ranks to compare; with a budget the largest one bounds it"),
  embeddingDim: integerOption(16, 1, "Columns D of every table; a preset has its own"),
  budget: bytesOption(0, "Bytes that all tables may take, such as 20MB: ranks, and with a data set caches, are chosen to fit"),
  ratio: numberOption(0, false, "The budget as a ratio: how many times smaller the tables get"),
  shapes: SHAPES,
  cacheStorage: CACHE_STORAGE,
};

/** Flags of `evaluate`. */
export interface EvaluateFlags {
  /** Which rows. */
  readonly split: Split;
  /** Which model of the run. */
  readonly which: "best" | "latest";
  /** Bins of a histogram that the AUC is taken from; 0 means the exact one. */
  readonly aucBins: number;
  /** Column whose ids the rows are sliced by; "" for none. */
  readonly sliceBy: string;
  /** Most slices. */
  readonly slices: number;
}

/** Which model of a run; `evaluate`, `predict` and `export` share it. */
const WHICH: OptionSpec<"best" | "latest"> = choiceOption(
  "best",
  ["best", "latest"],
  "Which model of the run: that of the best evaluation, if --best-by ranked them, or the latest",
);

/** Flags of `evaluate`. */
export const EVALUATE_OPTIONS: OptionSpecs<EvaluateFlags> = {
  split: choiceOption<Split>("test", ["train", "validation", "test"], "Which rows"),
  which: WHICH,
  aucBins: integerOption(
    0,
    0,
    "Takes the AUC from a histogram of so many bins, in bounded memory, and tells its error; 0 is exact",
  ),
  sliceBy: textOption("", "column", "Also measures the rows by the ids of this column"),
  slices: integerOption(10, 1, "How many of its most frequent ids have a slice of their own"),
};

/** Flags of `predict`. */
export interface PredictFlags {
  /** Schema file of the rows' table; "" for Criteo's columns. */
  readonly schema: string;
  /** Which model of the run. */
  readonly which: "best" | "latest";
}

/** Flags of `predict`. */
export const PREDICT_OPTIONS: OptionSpecs<PredictFlags> = {
  schema: textOption("", "file", "Schema that the data set was prepared with; without it, rows are Criteo's"),
  which: WHICH,
};

/** Flags of `export`. */
export interface ExportFlags {
  /** How the numbers of TT-cores are stored. */
  readonly storage: CoreStorage;
  /** Which model of the run. */
  readonly which: "best" | "latest";
}

/** Flags of `export`. */
export const EXPORT_OPTIONS: OptionSpecs<ExportFlags> = {
  storage: choiceOption<CoreStorage>("float32", ["float32", "float16", "int8"], "How the numbers of TT-cores are stored"),
  which: WHICH,
};

/** Reads the settings that flags give; the others stay away. Throws `E_OPTION`. */
export function readGiven<T>(specs: OptionSpecs<T>, flags: RawSettings): Partial<T> {
  const names = Object.keys(specs) as (keyof T & string)[];
  return Object.fromEntries(
    names.filter((name) => flags[name] !== undefined).map((name) => [name, specs[name].parse(name, flags[name])]),
  ) as Partial<T>;
}

/** Reads all settings, with the defaults of those that no flag gives. Throws `E_OPTION`. */
export function readAll<T>(specs: OptionSpecs<T>, flags: RawSettings): T {
  const names = Object.keys(specs) as (keyof T)[];
  return { ...(Object.fromEntries(names.map((name) => [name, specs[name].default])) as T), ...readGiven(specs, flags) };
}
