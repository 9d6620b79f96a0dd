import { type ReadAt, sha256, TtError } from "@tt-rec/tensor";
import { decodeRecordBatch } from "../arrow/read-record-batch.ts";
import { loadZstd } from "../arrow/zstd.ts";
import type { RowBlock } from "../log/row-block.ts";
import type { Manifest, ManifestFile } from "../manifest/manifest.ts";
import { rearrange } from "./rearrange.ts";
import { type KeepRow, keepAll } from "./sub-sample.ts";
import type { RowWindow } from "./window-plan.ts";

/** An Arrow file, opened. */
export interface OpenFile {
  /** What the manifest says of it. */
  readonly file: ManifestFile;
  /** Its bytes. */
  readonly input: ReadAt;
}

/**
 * Reads, checks and decodes the record batches of a window and puts their rows in order. Throws `E_CORRUPT` with file and
 * record batch if bytes are not those of the manifest; no byte is decoded before its checksum is found right.
 */
export async function readWindow(
  window: RowWindow,
  files: readonly OpenFile[],
  manifest: Manifest,
  keep: KeepRow,
): Promise<RowBlock> {
  const zstd = manifest.options.compression === "zstd" ? await loadZstd() : undefined;
  const blocks: RowBlock[] = [];
  for (const { file: number, batch } of window.batches) {
    const { file, input } = files[number];
    const bytes = await readRecordBatch(input, file, batch);
    let block: RowBlock;
    try {
      block = decodeRecordBatch(bytes, file.batches[batch].rows, manifest.schema, zstd);
    } catch (cause) {
      throw corruptBatch(file, batch, `cannot be decoded: ${(cause as Error).message}`, cause);
    }
    const wrong = wrongId(block, manifest.cardinalities);
    if (wrong !== undefined) throw corruptBatch(file, batch, wrong);
    blocks.push(block);
  }
  const permutation = window.permutation?.();
  if (permutation === undefined && keep === keepAll) return blocks[0];
  const { places, rows } = placeRows(window, blocks, permutation, keep);
  return rearrange(blocks, places, rows);
}

/** Where each row of a window goes, −1 if it is not kept, and how many are kept. */
function placeRows(
  window: RowWindow,
  blocks: readonly RowBlock[],
  permutation: Uint32Array | undefined,
  keep: KeepRow,
): { readonly places: Int32Array; readonly rows: number } {
  const kept = new Uint8Array(window.rows).fill(1);
  if (keep !== keepAll) {
    let at = 0;
    for (const [number, { rows, labels }] of blocks.entries()) {
      for (let row = 0; row < rows; row++, at++) kept[at] = keep(labels[row], window.batches[number], row) ? 1 : 0;
    }
  }
  const places = new Int32Array(window.rows);
  let next = 0;
  for (let place = 0; place < window.rows; place++) {
    const row = permutation === undefined ? place : permutation[place];
    places[row] = kept[row] === 1 ? next++ : -1;
  }
  return { places, rows: next };
}

/** Reads the bytes of a record batch that match their checksum. Throws `E_CORRUPT` if they do not. */
export async function readRecordBatch(input: ReadAt, file: ManifestFile, number: number): Promise<Uint8Array> {
  const { offset, byteLength, sha256: expected } = file.batches[number];
  const bytes = await input.slice(offset, offset + byteLength);
  if ((await sha256(bytes)) === expected) return bytes;
  throw corruptBatch(file, number, "does not match its checksum in the manifest");
}

/** Says which index is outside its table, if one is. */
function wrongId({ ids }: RowBlock, cardinalities: readonly number[]): string | undefined {
  for (const [column, { words }] of ids.entries()) {
    const cardinality = cardinalities[column];
    for (let i = 0; i < words.length; i++) {
      if (words[i] >= cardinality) return `holds index ${words[i]} in table ${column} of ${cardinality} rows`;
    }
  }
  return undefined;
}

function corruptBatch({ name, batches }: ManifestFile, number: number, rule: string, cause?: unknown): TtError {
  const byte = batches[number].offset;
  return new TtError("E_CORRUPT", `${name}, record batch ${number} (byte ${byte}) ${rule}`, { file: name, byte }, { cause });
}
