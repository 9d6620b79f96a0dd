import { type Directory, sealJson, TtError } from "@tt-rec/tensor";
import { cutBatches } from "../arrow/cut-batches.ts";
import { type FileLayout, writeArrowFile } from "../arrow/write-arrow-file.ts";
import { loadZstd } from "../arrow/zstd.ts";
import type { LogSchema } from "../log/log-schema.ts";
import type { RowBlock } from "../log/row-block.ts";
import { MANIFEST_FILE, MANIFEST_FORMAT, type Manifest, type ManifestFile, SPLITS } from "../manifest/manifest.ts";
import type { PreparedWith } from "./prepare-options.ts";
import type { PlannedFile, SplitPlan } from "./split-rows.ts";

/** What is in a manifest beyond the plan of its files. */
export type ManifestParts = Omit<Manifest, "rows">;

/**
 * Writes an Arrow file of a data set. Blocks hold the rows of the file in order, their ids as indices, and may have any
 * size; they are cut into record batches. Throws `E_MISMATCH` if there are fewer or more rows than planned.
 */
export async function writeSplitFile(
  target: Directory,
  { name, split, day, from, to }: PlannedFile,
  blocks: AsyncIterable<RowBlock>,
  schema: LogSchema,
  settings: PreparedWith,
): Promise<ManifestFile> {
  const zstd = settings.compression === "zstd" ? await loadZstd() : undefined;
  let layout: FileLayout | undefined;
  async function* noted(): AsyncGenerator<Uint8Array> {
    layout = yield* writeArrowFile(schema, cutBatches(blocks, schema, settings.rowsPerBatch), zstd);
    if (layout.rows !== to - from) {
      throw new TtError("E_MISMATCH", `${name} was given ${layout.rows} rows, ${to - from} were planned`, { file: name });
    }
  }
  const { byteLength, sha256 } = await target.commit(name, noted());
  if (layout === undefined) throw new TtError("E_IO", `${name} was committed before all of it was read`, { file: name });
  return { name, split, day, byteLength, sha256, rows: layout.rows, batches: layout.batches };
}

/** Writes the manifest, which makes the folder a data set. */
export async function commitManifest(target: Directory, parts: ManifestParts, { splits }: SplitPlan): Promise<Manifest> {
  const rows = {
    train: splits.train.to - splits.train.from,
    test: splits.test.to - splits.test.from,
    validation: splits.validation.to - splits.validation.from,
  };
  const { schema, cardinalities, histograms, badRows, sources, options, files, dictionaries } = parts;
  const { label, dense, ids, wide, lists, flags } = schema;
  const manifest: Manifest = {
    schema: { label, dense, ids, ...(wide && { wide }), ...(lists && { lists }), ...(flags && { flags }) },
    cardinalities,
    histograms,
    rows,
    badRows,
    sources,
    options,
    files,
    dictionaries,
  };
  await target.commit(MANIFEST_FILE, await sealJson(MANIFEST_FORMAT, manifest));
  return manifest;
}

/** Throws `E_EXISTS` if the target holds a data set. */
export async function refuseExisting(target: Directory): Promise<void> {
  if (!(await target.list()).includes(MANIFEST_FILE)) return;
  throw new TtError("E_EXISTS", "the target holds a data set already; the option replace would overwrite it", {
    file: MANIFEST_FILE,
  });
}

/** Removes an older data set, its manifest first, and what an interrupted run may have left. */
export async function clearDataset(target: Directory): Promise<void> {
  await target.remove(MANIFEST_FILE);
  for (const name of await target.list()) if (DATASET_FILE.test(name)) await target.remove(name);
}

/** Names that data sets of this version and the one before it use. */
const DATASET_FILE = new RegExp(`^((${SPLITS.join("|")})(-\\d+)?\\.arrow|dictionar(y-\\d+|ies)\\.safetensors)$`);
