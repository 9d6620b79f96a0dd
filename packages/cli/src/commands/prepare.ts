import { readFile } from "node:fs/promises";
import {
  CRITEO_SCHEMA,
  type LogSchema,
  type LogSource,
  logSchemaOf,
  type Manifest,
  type PrepareProgress,
  parseTableSchema,
  type RowSource,
  withNegatives,
} from "@tt-rec/criteo-loader";
import { logFile, type PrepareFilesOptions, prepareFiles, prepareInDuckdb, tableFile } from "@tt-rec/criteo-loader/node";
import { isTtError, TtError } from "@tt-rec/tensor";
import { suggestShape } from "@tt-rec/tt-math";
import type { SplitSetting } from "../options/split-option.ts";
import { formatCount } from "../output/format.ts";
import type { ProgressBar, Reporter } from "../output/reporter.ts";

const PASSES = { scan: "reading", learn: "learning", order: "ordering", encode: "encoding" } as const;

/** Shortest time between two progress events, in milliseconds: a big log has hundreds of thousands of blocks. */
const EVENT_INTERVAL = 1000;

/** Cores of a TT table that `train` makes. */
const CORES = 3;

/** Options of `tt-rec prepare`; 0, "auto" and "" stand for what the loader has no value for. */
export type PrepareSettings = Omit<PrepareFilesOptions, "threads" | "maxIndexRange" | "hashSize" | "schema" | "split"> & {
  /** What is held out, in place of days and the share of the last one; null means those. */
  readonly split: SplitSetting;
  /** Threads that work. */
  readonly threads: number | "auto";
  /** Raw ids are taken modulo this number; 0 takes them as they are. */
  readonly maxIndexRange: number;
  /** Rows of hashed tables; 0 where ids are not hashed. */
  readonly hashSize: number;
  /** Schema file of a table; "" for a Criteo log. */
  readonly schema: string;
  /** Whether each number column has a flag of missing numbers. */
  readonly flagMissing: boolean;
  /** What does the work. */
  readonly engine: "native" | "duckdb";
};

/** Turns raw logs into an Arrow data set. */
export async function prepare(
  logs: readonly string[],
  target: string,
  { threads, maxIndexRange, hashSize, schema, flagMissing, engine, split, days, validationShare, ...others }: PrepareSettings,
  reporter: Reporter,
): Promise<void> {
  const progress = showProgress(reporter);
  const options = {
    ...others,
    ...(split === null
      ? { ...(days !== undefined && { days }), ...(validationShare !== undefined && { validationShare }) }
      : { split }),
    ...(threads !== "auto" && { threads }),
    ...(maxIndexRange > 0 && { maxIndexRange }),
    ...(hashSize > 0 && { hashSize }),
    rowShape: (cardinality: number) => suggestShape(cardinality, CORES),
    onProgress: progress.update,
  };
  const work = async (): Promise<Manifest> => {
    if (engine === "native") {
      const input = await openLogs(logs, schema, flagMissing);
      return prepareFiles(input.sources, target, { ...options, schema: input.schema });
    }
    if (schema === "") return prepareInDuckdb(logs, target, { ...options, schema: criteoSchema(flagMissing) });
    throw new TtError("E_OPTION", "--engine duckdb reads Criteo logs only; a log with --schema needs the native engine");
  };
  const manifest = await work()
    .catch((error: unknown) => {
      throw inWordsOfFlags(error, target, schema);
    })
    .finally(progress.stop);
  const { rows, badRows, cardinalities } = manifest;
  reporter.line(
    `${target}: ${formatCount(rows.train)} training, ${formatCount(rows.validation)} validation, ${formatCount(rows.test)} test rows`,
  );
  reporter.line(
    `${formatCount(cardinalities.reduce((a, b) => a + b, 0))} ids in ${cardinalities.length} tables; ${badRows} bad rows skipped`,
  );
  reporter.event("prepared", { target, rows, badRows, cardinalities });
}

/** Errors that a flag helps with say so. */
function inWordsOfFlags(error: unknown, target: string, schema: string): unknown {
  if (!isTtError(error)) return error;
  const { code, message, where } = error;
  if (code === "E_EXISTS") {
    return new TtError(code, `${target} holds a data set; --replace writes over it`, { file: target }, { cause: error });
  }
  if (code !== "E_ROW" || schema !== "" || where.line !== 1) return error;
  return new TtError(code, `${message}; a log that is not Criteo's needs --schema`, where, { cause: error });
}

/** The columns of a Criteo log. */
function criteoSchema(flagMissing: boolean): LogSchema {
  return { ...CRITEO_SCHEMA, ...(flagMissing && { flags: CRITEO_SCHEMA.dense }) };
}

/** The logs as sources: Criteo's format, or tables with a schema file. */
async function openLogs(
  logs: readonly string[],
  path: string,
  flagMissing: boolean,
): Promise<{ readonly sources: readonly (LogSource | RowSource)[]; readonly schema: LogSchema }> {
  if (path === "") return { sources: logs.map((log) => logFile(log)), schema: criteoSchema(flagMissing) };
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new TtError("E_NOT_FOUND", `the schema ${path} cannot be read`, { file: path }, { cause });
  });
  const parsed = parseTableSchema(text);
  const schema = flagMissing ? { ...parsed, dense: parsed.dense.map((column) => ({ ...column, flag: true })) } : parsed;
  const tables = logs.map((log) => tableFile(log, schema));
  return {
    sources: schema.negatives === undefined ? tables : withNegatives(tables, schema.negatives),
    schema: logSchemaOf(schema),
  };
}

/** A bar for each pass that knows its end, and an event now and then. */
function showProgress(reporter: Reporter): { update(progress: PrepareProgress): void; stop(): void } {
  let bar: ProgressBar | undefined;
  let pass = "";
  let lastEvent = 0;
  return {
    update(progress) {
      if (progress.pass !== pass) {
        bar?.stop();
        bar = progress.total === undefined ? undefined : reporter.bar(PASSES[progress.pass], progress.total, "rows");
        pass = progress.pass;
      }
      bar?.update(progress.rows);
      if (performance.now() - lastEvent < EVENT_INTERVAL) return;
      lastEvent = performance.now();
      reporter.event("progress", progress);
    },
    stop: () => bar?.stop(),
  };
}
