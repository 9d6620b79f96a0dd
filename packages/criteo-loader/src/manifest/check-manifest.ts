import { isTtError, TtError } from "@tt-rec/tensor";
import { dictionaryFile } from "../dictionary/dictionaries-file.ts";
import { validateSchema } from "../log/log-schema.ts";
import { checkSettings } from "../prepare/prepare-options.ts";
import { type PlannedFile, planFiles, planSplit } from "../prepare/split-rows.ts";
import { MANIFEST_FILE, type Manifest, SPLITS } from "./manifest.ts";

type Json = Record<string, unknown>;

/** Checks that parsed JSON has every field of a manifest, no other, and that its numbers fit together. Throws `E_CORRUPT`. */
export function checkManifest(value: unknown): Manifest {
  const manifest = object(value, "manifest", [
    "schema",
    "cardinalities",
    "histograms",
    "rows",
    "badRows",
    "sources",
    "options",
    "files",
    "dictionaries",
  ]);
  checkSchema(manifest.schema);
  const { ids } = manifest.schema as Manifest["schema"];
  const cardinalities = list(manifest.cardinalities, "cardinalities");
  for (const [index, cardinality] of cardinalities.entries()) whole(cardinality, `cardinalities[${index}]`, 1);
  same(cardinalities.length, ids.length, "the number of cardinalities", "the number of id columns");
  checkHistograms(manifest.histograms, cardinalities as number[]);
  whole(manifest.badRows, "badRows");
  checkSources(manifest.sources);
  checkOptions(manifest.options, (manifest.sources as Json[]).length);
  checkDictionaries(manifest.dictionaries, ids.length);

  const rows = object(manifest.rows, "rows", SPLITS);
  for (const split of SPLITS) whole(rows[split], `rows.${split}`);
  const sourceRows = (manifest.sources as Manifest["sources"]).map((source) => source.rows);
  const { rowsPerBatch, split } = manifest.options as Manifest["options"];
  const plan = inRange(() => planSplit(sourceRows, split));
  for (const part of SPLITS) {
    const { from, to } = plan.splits[part];
    same(rows[part], to - from, `rows.${part}`, "what options.split gives of the rows of all sources");
  }
  const files = list(manifest.files, "files");
  const planned = planFiles(plan);
  same(files.length, planned.length, "the number of files", "the number of days and splits with rows");
  for (const [index, file] of planned.entries()) checkFile(files[index], `files[${index}]`, file, rowsPerBatch);
  return manifest as unknown as Manifest;
}

function checkHistograms(value: unknown, cardinalities: readonly number[]): void {
  const histograms = list(value, "histograms");
  same(histograms.length, cardinalities.length, "the number of histograms", "the number of id columns");
  for (const [index, entry] of histograms.entries()) {
    const counts = list(entry, `histograms[${index}]`);
    const ids = counts.reduce((sum: number, count, power) => sum + whole(count, `histograms[${index}][${power}]`), 0);
    if (ids >= cardinalities[index]) wrong(`histograms[${index}]`, entry, `a count of at most ${cardinalities[index] - 1} ids`);
  }
}

function checkDictionaries(value: unknown, columns: number): void {
  const dictionaries = list(value, "dictionaries");
  same(dictionaries.length, columns, "the number of dictionaries", "the number of id columns");
  for (const [index, entry] of dictionaries.entries()) {
    const { name, byteLength, sha256 } = object(entry, `dictionaries[${index}]`, ["name", "byteLength", "sha256"]);
    same(name, dictionaryFile(index), `dictionaries[${index}].name`, "the only name allowed");
    whole(byteLength, `dictionaries[${index}].byteLength`, 1);
    hash(sha256, `dictionaries[${index}].sha256`);
  }
}

function checkSchema(value: unknown): void {
  const schema = object(value, "schema", ["label", "dense", "ids"], ["wide", "lists", "flags"]);
  string(schema.label, "schema.label");
  for (const key of ["dense", "ids", "wide", "lists", "flags"]) {
    if (schema[key] === undefined) continue;
    for (const [index, name] of list(schema[key], `schema.${key}`).entries()) string(name, `schema.${key}[${index}]`);
  }
  inRange(() => validateSchema(value as Manifest["schema"]));
}

function checkSources(value: unknown): void {
  for (const [index, entry] of list(value, "sources").entries()) {
    const source = object(entry, `sources[${index}]`, ["name", "rows"]);
    string(source.name, `sources[${index}].name`);
    whole(source.rows, `sources[${index}].rows`, 1);
  }
}

function checkOptions(value: unknown, sources: number): void {
  const keys = ["split", "minFrequency", "maxIndexRange", "maxBadRows", "rowsPerBatch", "idOrder", "hashSize"];
  const options = object(value, "options", keys, ["compression"]);
  for (const key of ["minFrequency", "maxBadRows", "rowsPerBatch"]) whole(options[key], `options.${key}`);
  if (options.maxIndexRange !== null) whole(options.maxIndexRange, "options.maxIndexRange", 1);
  if (options.hashSize !== null) whole(options.hashSize, "options.hashSize", 1);
  string(options.idOrder, "options.idOrder");
  checkSplit(options.split);
  inRange(() => checkSettings(value as Manifest["options"], sources));
}

const SPLIT_FIELDS: Readonly<Record<string, readonly string[]>> = {
  days: ["days", "validationShare"],
  fractions: ["test", "validation"],
  ranges: SPLITS,
};

function checkSplit(value: unknown): void {
  const by = (value as Json | null | undefined)?.by;
  const fields = typeof by === "string" && Object.hasOwn(SPLIT_FIELDS, by) ? SPLIT_FIELDS[by] : [];
  const split = object(value, "options.split", ["by", ...fields]);
  if (by !== "ranges") return;
  for (const part of SPLITS) {
    const ends = list(split[part], `options.split.${part}`);
    same(ends.length, 2, `the ends of options.split.${part}`, "the first row and the one after the last");
  }
}

/** The record batches must follow each other, with room for Arrow's header before and its footer after them. */
function checkFile(value: unknown, path: string, planned: PlannedFile, rowsPerBatch: number): void {
  const file = object(value, path, ["name", "split", "day", "byteLength", "sha256", "rows", "batches"]);
  for (const key of ["name", "split", "day"] as const) same(file[key], planned[key], `${path}.${key}`, "the only one allowed");
  hash(file.sha256, `${path}.sha256`);
  const batches = list(file.batches, `${path}.batches`);
  let rows = 0;
  let end = 0;
  for (const [index, entry] of batches.entries()) {
    const at = `${path}.batches[${index}]`;
    const { offset, byteLength, sha256, ...batch } = object(entry, at, ["offset", "byteLength", "rows", "sha256"]);
    whole(offset, `${at}.offset`, 1);
    if (index > 0) same(offset, end, `${at}.offset`, "the end of the batch before it");
    end = (offset as number) + whole(byteLength, `${at}.byteLength`, 1);
    hash(sha256, `${at}.sha256`);
    const count = whole(batch.rows, `${at}.rows`, 1);
    if (index + 1 < batches.length) same(count, rowsPerBatch, `${at}.rows`, "options.rowsPerBatch");
    else if (count > rowsPerBatch) wrong(`${at}.rows`, count, `at most options.rowsPerBatch, ${rowsPerBatch}`);
    rows += count;
  }
  same(file.rows, rows, `${path}.rows`, "the rows of its batches");
  same(file.rows, planned.to - planned.from, `${path}.rows`, "what options.split gives");
  whole(file.byteLength, `${path}.byteLength`, end + 1);
}

function object(value: unknown, path: string, keys: readonly string[], optional: readonly string[] = []): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong(path, value, "an object");
  for (const key of Object.keys(value))
    if (!keys.includes(key) && !optional.includes(key)) throw corrupt(`${path} has an unknown field "${key}"`);
  for (const key of keys) if (!Object.hasOwn(value, key)) throw corrupt(`${path} lacks the field "${key}"`);
  return value as Json;
}

function list(value: unknown, path: string): unknown[] {
  return Array.isArray(value) ? value : wrong(path, value, "a list");
}

function string(value: unknown, path: string): void {
  if (typeof value !== "string") wrong(path, value, "a text");
}

function whole(value: unknown, path: string, least = 0): number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
  return wrong(path, value, `a whole number of at least ${least}`);
}

function hash(value: unknown, path: string): void {
  if (typeof value !== "string" || !/^[0-9a-f]{64}$/.test(value)) wrong(path, value, "a SHA-256 in lower-case hex");
}

function same(value: unknown, expected: unknown, path: string, rule: string): void {
  if (value !== expected) throw corrupt(`${path} = ${JSON.stringify(value)} is not ${rule}, ${JSON.stringify(expected)}`);
}

function inRange<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!isTtError(error)) throw error;
    throw corrupt(error.message, error);
  }
}

function wrong(path: string, value: unknown, rule: string): never {
  throw corrupt(`${path} = ${JSON.stringify(value)} is not ${rule}`);
}

function corrupt(reason: string, cause?: unknown): TtError {
  return new TtError("E_CORRUPT", `${MANIFEST_FILE}: ${reason}`, { file: MANIFEST_FILE }, { cause });
}
