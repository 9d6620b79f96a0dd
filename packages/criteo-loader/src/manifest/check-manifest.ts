import { isTtError, TtError } from "@tt-rec/tensor";
import { DICTIONARIES_FILE } from "../dictionary/dictionaries-file.ts";
import { validateSchema } from "../log/log-schema.ts";
import { resolveOptions } from "../prepare/prepare-options.ts";
import { MANIFEST_FILE, type Manifest, type ManifestFile, SPLITS, splitFile } from "./manifest.ts";

type Json = Record<string, unknown>;

/** Checks that parsed JSON has every field of a manifest, no other, and that its numbers fit together. Throws `E_CORRUPT`. */
export function checkManifest(value: unknown): Manifest {
  const manifest = object(value, "manifest", [
    "schema",
    "cardinalities",
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
  whole(manifest.badRows, "badRows");
  checkSources(manifest.sources);
  checkOptions(manifest.options, (manifest.sources as Json[]).length);
  const dictionaries = object(manifest.dictionaries, "dictionaries", ["name", "sha256"]);
  same(dictionaries.name, DICTIONARIES_FILE, "dictionaries.name", "the only name allowed");
  hash(dictionaries.sha256, "dictionaries.sha256");

  const rows = object(manifest.rows, "rows", SPLITS);
  const { rowsPerBatch } = manifest.options as Manifest["options"];
  const files = list(manifest.files, "files");
  for (const split of SPLITS) whole(rows[split], `rows.${split}`);
  const expected = SPLITS.filter((split) => rows[split] !== 0);
  same(files.length, expected.length, "the number of files", "the number of splits with rows");
  for (const [index, split] of expected.entries()) {
    checkFile(files[index], `files[${index}]`, splitFile(split), rowsPerBatch);
    same((files[index] as ManifestFile).rows, rows[split], `files[${index}].rows`, `rows.${split}`);
  }
  const kept = SPLITS.reduce((sum, split) => sum + (rows[split] as number), 0);
  const read = (manifest.sources as Manifest["sources"]).reduce((sum, source) => sum + source.rows, 0);
  same(kept, read, "the rows of all splits", "the rows of all sources");
  return manifest as unknown as Manifest;
}

function checkSchema(value: unknown): void {
  const schema = object(value, "schema", ["label", "dense", "ids"]);
  string(schema.label, "schema.label");
  for (const key of ["dense", "ids"]) {
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
  const keys = ["days", "validationShare", "minFrequency", "maxIndexRange", "maxBadRows", "rowsPerBatch"];
  const { maxIndexRange, ...options } = object(value, "options", keys);
  for (const [key, option] of Object.entries(options)) {
    if (typeof option !== "number" && !(key === "days" && option === "files")) wrong(`options.${key}`, option, "a number");
  }
  if (maxIndexRange !== null) whole(maxIndexRange, "options.maxIndexRange", 1);
  inRange(() =>
    resolveOptions({ ...options, ...(maxIndexRange === null ? {} : { maxIndexRange: maxIndexRange as number }) }, sources),
  );
}

/** The record batches must follow each other, with room for Arrow's header before and its footer after them. */
function checkFile(value: unknown, path: string, name: string, rowsPerBatch: number): void {
  const file = object(value, path, ["name", "byteLength", "sha256", "rows", "batches"]);
  same(file.name, name, `${path}.name`, "the only name allowed");
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
  whole(file.byteLength, `${path}.byteLength`, end + 1);
}

function object(value: unknown, path: string, keys: readonly string[]): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong(path, value, "an object");
  for (const key of Object.keys(value)) if (!keys.includes(key)) throw corrupt(`${path} has an unknown field "${key}"`);
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

function inRange(check: () => unknown): void {
  try {
    check();
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
