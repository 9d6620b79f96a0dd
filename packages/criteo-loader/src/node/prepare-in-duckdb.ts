import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Directory, isTtError, TtError } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { type SavedDictionary, saveDictionary } from "../dictionary/dictionaries-file.ts";
import { chunks, encodedBlock } from "../duckdb/encoded-block.ts";
import { type Connection, type Database, openDatabase } from "../duckdb/load-duckdb.ts";
import { COUNT_ROWS, createDictionary, createRaw, readFile, selectDictionary, selectEncoded } from "../duckdb/preparation-sql.ts";
import { CRITEO_SCHEMA, type LogSchema } from "../log/log-schema.ts";
import type { RowBlock } from "../log/row-block.ts";
import type { ScanState } from "../log/row-source.ts";
import { scanRows } from "../log/scan-rows.ts";
import { countHistogram, type DictionaryFile, type Manifest, type ManifestFile } from "../manifest/manifest.ts";
import { type PreparedWith, type PrepareOptions, requireWhole, resolveOptions } from "../prepare/prepare-options.ts";
import { planFiles, planSplit, type RowRange } from "../prepare/split-rows.ts";
import { clearDataset, commitManifest, refuseExisting, writeSplitFile } from "../prepare/write-dataset.ts";
import { isGzip, logFile } from "./log-file.ts";
import { UNFINISHED } from "./prepare-files.ts";

/** Options of `prepareInDuckdb`. */
export interface DuckdbOptions extends PrepareOptions {
  /** Threads of the database. Default: its own choice, all cores. */
  readonly threads?: number;
  /** Bytes that the database may hold before it writes to disk. Default: its own choice, 80 % of the memory. */
  readonly memory?: number;
}

/**
 * Prepares Criteo logs as `prepareFiles` does, with the database DuckDB, in SQL that other engines understand. The data set has the
 * same bytes as the native engine's with `idOrder: "frequency"`, which is the only order that this one has: it must be asked for.
 *
 * Each file is scanned natively first: that finds damaged gz files and malformed rows, which DuckDB may accept, and counts the
 * rows. An interrupted run starts again.
 *
 * Throws `E_NOT_FOUND` if @duckdb/node-api is not installed, `E_OPTION` for another order, for `maxBadRows`, and for texts or
 * lists in the schema, and otherwise what `prepareFiles` throws.
 */
export async function prepareInDuckdb(paths: readonly string[], folder: string, options: DuckdbOptions): Promise<Manifest> {
  const schema = options.schema ?? CRITEO_SCHEMA;
  if (paths.length === 0) throw new TtError("E_OPTION", "no source was given");
  const settings = resolveOptions(options, paths.length);
  refuseInexpressible(schema, settings);
  const target = nodeDirectory(folder);
  if (!options.replace) await refuseExisting(target);

  // What an interrupted run of the native engine left is of no use once its files are replaced.
  const scratch = join(folder, UNFINISHED);
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true });
  let database: Database | undefined;
  try {
    database = await openDatabase(join(scratch, "rows.duckdb"), databaseOptions(options));
    return await prepareOn(database.connection, paths, schema, settings, target, options.onProgress);
  } catch (error) {
    throw isTtError(error) ? error : databaseError(error as Error);
  } finally {
    database?.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function prepareOn(
  connection: Connection,
  paths: readonly string[],
  schema: LogSchema,
  settings: PreparedWith,
  target: Directory,
  onProgress: PrepareOptions["onProgress"],
): Promise<Manifest> {
  await connection.run(createRaw(schema));
  const sources: { name: string; rows: number }[] = [];
  const state = { maxBadRows: 0, badRows: 0, lines: 0, bytes: 0 };
  let total = 0;
  for (const path of paths) {
    const rows = await scanFile(path, schema, state, (rows) =>
      onProgress?.({ pass: "scan", rows: total + rows, bytes: state.bytes }),
    );
    await connection.run(readFile(resolve(path), await isGzip(path), schema, total, settings.maxIndexRange));
    sources.push({ name: path, rows });
    total += rows;
    await expectRows(connection, path, total);
  }
  const plan = planSplit(
    sources.map(({ rows }) => rows),
    settings.split,
  );
  await clearDataset(target);
  const { train } = plan.splits;
  const dictionaries: DictionaryFile[] = [];
  const counts: Uint32Array[] = [];
  for (const column of schema.ids.keys()) {
    await connection.run(createDictionary(column, train, settings.minFrequency));
    const dictionary = await readDictionary(connection, column, train.to - train.from);
    dictionaries.push(await saveDictionary(target, column, dictionary));
    counts.push(dictionary.counts);
    onProgress?.({ pass: "learn", rows: Math.floor((total * (column + 1)) / schema.ids.length), total, bytes: state.bytes });
  }
  const files: ManifestFile[] = [];
  for (const file of planFiles(plan)) {
    files.push(await writeSplitFile(target, file, encodedBlocks(connection, schema, file), schema, settings));
    onProgress?.({ pass: "encode", rows: files.reduce((sum, { rows }) => sum + rows, 0), total, bytes: state.bytes });
  }
  const parts = {
    schema,
    cardinalities: counts.map(({ length }) => length),
    histograms: counts.map(countHistogram),
    badRows: 0,
    sources,
    options: settings,
    files,
    dictionaries,
  };
  return commitManifest(target, parts, plan);
}

function refuseInexpressible({ wide = [], lists = [], flags = [] }: LogSchema, { idOrder, maxBadRows }: PreparedWith): void {
  const fail = (rule: string): never => {
    throw new TtError("E_OPTION", `the engine duckdb ${rule}; the native engine can`);
  };
  if (idOrder !== "frequency") fail(`numbers ids by frequency only, but idOrder = ${idOrder}`);
  if (maxBadRows > 0) fail(`cannot skip bad rows, but maxBadRows = ${maxBadRows}`);
  if (flags.length > 0) fail(`knows no flags of missing numbers, but ${flags[0]} has one`);
  for (const column of [...wide, ...lists]) fail(`reads one id of 32 bits a column, but ${column} has texts or lists`);
}

function databaseOptions({ threads, memory }: DuckdbOptions): Record<string, string> {
  return {
    ...(threads !== undefined && { threads: String(requireWhole("threads", threads, 1)) }),
    ...(memory !== undefined && { memory_limit: `${requireWhole("memory", memory, 1)}B` }),
  };
}

/** Checks every row of a file, and its checksum if it is compressed; returns the number of rows. */
async function scanFile(path: string, schema: LogSchema, state: ScanState, tell: (rows: number) => void): Promise<number> {
  let rows = 0;
  // Lines are counted from the first of each file.
  state.lines = 0;
  for await (const block of scanRows(logFile(path), schema, state)) {
    rows += block.rows;
    tell(rows);
  }
  if (rows === 0) throw new TtError("E_EMPTY", `${path} has no row`, { file: path });
  return rows;
}

/** Throws `E_MISMATCH` unless the database has read as many rows as the scan. */
async function expectRows(connection: Connection, path: string, expected: number): Promise<void> {
  for await (const { columns } of chunks(connection, COUNT_ROWS)) {
    const found = Number(columns(0)[0]);
    if (found === expected) return;
    throw new TtError("E_MISMATCH", `after ${path} the database holds ${found} rows, the files have ${expected}`, { file: path });
  }
}

async function readDictionary(connection: Connection, column: number, rows: number): Promise<SavedDictionary> {
  const [values, counts]: [Uint32Array[], Uint32Array[]] = [[], []];
  for await (const { rows: count, columns } of chunks(connection, selectDictionary(column))) {
    values.push(Uint32Array.from(columns(0).subarray(0, count) as Uint32Array));
    counts.push(Uint32Array.from(columns(1).subarray(0, count) as Uint32Array));
  }
  const kept = joined(counts);
  const known = kept.reduce((sum, count) => sum + count, 0);
  return { values: joined(values), counts: joined([Uint32Array.of(rows - known), kept]) };
}

function joined(pieces: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

async function* encodedBlocks(connection: Connection, schema: LogSchema, range: RowRange): AsyncGenerator<RowBlock> {
  for await (const { rows, columns } of chunks(connection, selectEncoded(schema, range)))
    yield encodedBlock(rows, columns, schema);
}

/** The errors that DuckDB tells by the beginning of their message. */
function databaseError(error: Error): TtError {
  const [line] = error.message.split("\n");
  const code = /^Out of Memory/.test(line) ? "E_MEMORY" : /^(Invalid Input|Conversion)/.test(line) ? "E_ROW" : "E_IO";
  return new TtError(code, `duckdb: ${line}`, {}, { cause: error });
}
