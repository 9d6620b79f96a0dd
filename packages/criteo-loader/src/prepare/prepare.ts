import { type Directory, sealJson, TtError } from "@tt-rec/tensor";
import { type FileLayout, writeArrowFile } from "../arrow/write-arrow-file.ts";
import { DICTIONARIES_FILE, saveDictionaries } from "../dictionary/dictionaries-file.ts";
import { Dictionary } from "../dictionary/dictionary.ts";
import { CRITEO_SCHEMA } from "../log/log-schema.ts";
import type { LogSource } from "../log/log-source.ts";
import { MANIFEST_FILE, MANIFEST_FORMAT, type Manifest, type ManifestFile, SPLITS, splitFile } from "../manifest/manifest.ts";
import { encodedBatches, RowReader } from "./encode-rows.ts";
import { type LogPass, startPass } from "./log-pass.ts";
import { type PreparedWith, type PrepareOptions, resolveOptions } from "./prepare-options.ts";
import { dayRows, splitRows } from "./split-rows.ts";

/**
 * Turns raw logs into a data set in `target`: an Arrow IPC file for each split, dictionaries, and last the manifest.
 *
 * Semantics are DLRM's for Criteo: a missing number and a negative one are 0, numbers become ln(x + 1), ids are hex
 * of 32 unsigned bits, a missing id is the raw id 0; the last day is held out, its first part for the test and its
 * end for validation. Unlike DLRM's, the dictionaries come from training rows only; every other id is index 0.
 *
 * The sources are read three times: to count rows, to learn dictionaries, to encode. Memory is bounded by the
 * dictionaries (16 to 32 bytes a distinct training id) and one record batch. The output's bytes depend only on the
 * sources' bytes, names and options. Whatever goes wrong, a folder without a complete data set has no manifest.
 *
 * Throws `E_OPTION`, `E_EXISTS` if the target holds a data set and `replace` is not set, `E_EMPTY` if a source has no
 * good row, `E_ROW` with file and line at the first bad row beyond `maxBadRows`, `E_MISMATCH` if a source changes meanwhile,
 * and what the sources and the target throw.
 */
export async function prepare(sources: readonly LogSource[], target: Directory, options: PrepareOptions = {}): Promise<Manifest> {
  if (sources.length === 0) throw new TtError("E_OPTION", "no source was given");
  const schema = options.schema ?? CRITEO_SCHEMA;
  const settings = resolveOptions(options, sources.length);
  if (!options.replace) await refuseExisting(target);
  const pass = (name: LogPass["name"]): LogPass => startPass(name, sources, schema, settings.maxBadRows, options.onProgress);

  const counting = pass("count");
  const sourceRows = await countRows(counting);
  const total = sourceRows.reduce((sum, rows) => sum + rows, 0);
  const split = splitRows(settings.days === "files" ? sourceRows : dayRows(total, settings.days), settings.validationShare);

  const reader = new RowReader(pass("learn"));
  const dictionaries = await learn(reader, split.train, schema.ids.length, settings);

  await clear(target);
  const saved = await saveDictionaries(target, schema.ids, dictionaries);
  const encoding = new RowReader(pass("encode"));
  const files: ManifestFile[] = [];
  try {
    for (const part of SPLITS) {
      if (split[part] === 0) continue;
      const batches = encodedBatches(encoding, schema, dictionaries, split[part], settings);
      files.push(await commitFile(target, splitFile(part), writeArrowFile(schema, batches)));
    }
    await encoding.expectEnd();
  } finally {
    await encoding.close();
  }
  const manifest: Manifest = {
    schema: { label: schema.label, dense: schema.dense, ids: schema.ids },
    cardinalities: dictionaries.map((dictionary) => dictionary.cardinality),
    rows: { train: split.train, test: split.test, validation: split.validation },
    badRows: counting.state.badRows,
    sources: sources.map(({ name }, index) => ({ name, rows: sourceRows[index] })),
    options: settings,
    files,
    dictionaries: saved,
  };
  await target.commit(MANIFEST_FILE, await sealJson(MANIFEST_FORMAT, manifest));
  return manifest;
}

async function refuseExisting(target: Directory): Promise<void> {
  if (!(await target.list()).includes(MANIFEST_FILE)) return;
  throw new TtError("E_EXISTS", "the target holds a data set already; the option replace would overwrite it", {
    file: MANIFEST_FILE,
  });
}

/** Removes an older data set, its manifest first, and what an interrupted run may have left. */
async function clear(target: Directory): Promise<void> {
  for (const name of [MANIFEST_FILE, DICTIONARIES_FILE, ...SPLITS.map(splitFile)]) await target.remove(name);
}

async function countRows(pass: LogPass): Promise<number[]> {
  const counts: number[] = [];
  for (const { name, blocks } of pass.sources()) {
    let rows = 0;
    for await (const block of blocks) rows += block.rows;
    if (rows === 0) throw new TtError("E_EMPTY", `${name} has no ${pass.state.badRows > 0 ? "good " : ""}row`, { file: name });
    counts.push(rows);
  }
  return counts;
}

async function learn(reader: RowReader, rows: number, columns: number, settings: PreparedWith): Promise<Dictionary[]> {
  const dictionaries = Array.from({ length: columns }, () => new Dictionary());
  const range = settings.maxIndexRange ?? 2 ** 32;
  try {
    for (let done = 0; done < rows; ) {
      const { block, from, to } = await reader.next(rows - done);
      for (const [column, dictionary] of dictionaries.entries()) {
        for (let row = from; row < to; row++) dictionary.count(block.ids[row * columns + column] % range);
      }
      done += to - from;
    }
  } finally {
    await reader.close();
  }
  return dictionaries.map((dictionary) => dictionary.without(settings.minFrequency));
}

async function commitFile(
  target: Directory,
  name: string,
  content: AsyncGenerator<Uint8Array, FileLayout>,
): Promise<ManifestFile> {
  let layout: FileLayout | undefined;
  async function* noted(): AsyncGenerator<Uint8Array> {
    layout = yield* content;
  }
  const { byteLength, sha256 } = await target.commit(name, noted());
  if (layout === undefined) throw new TtError("E_IO", `${name} was committed before all of it was read`, { file: name });
  return { name, byteLength, sha256, rows: layout.rows, batches: layout.batches };
}
