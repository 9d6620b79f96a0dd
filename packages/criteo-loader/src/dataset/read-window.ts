import { type ReadAt, sha256, TtError } from "@tt-rec/tensor";
import { decodeRecordBatch } from "../arrow/read-record-batch.ts";
import type { RowBlock } from "../log/row-block.ts";
import type { Manifest, ManifestFile } from "../manifest/manifest.ts";
import { type KeepRow, keepAll } from "./sub-sample.ts";
import type { RowWindow } from "./window-plan.ts";

/** Bits of a row's number in its record batch: `rowsPerBatch` is at most 2^20. */
export const ROW_BITS = 20;
/** Mask of a row's number in its record batch. */
export const ROW_MASK: number = (1 << ROW_BITS) - 1;

/** The decoded rows of a window and their order. */
export interface LoadedWindow {
  /** The record batches. */
  readonly blocks: readonly RowBlock[];
  /** Rows to hand out. */
  readonly rows: number;
  /**
   * For each row to hand out the number of its block, shifted by `ROW_BITS`, and its number there; absent if there is one
   * block and all of its rows come in order.
   */
  readonly order: Uint32Array | undefined;
}

/** An Arrow file, opened. */
export interface OpenFile {
  /** What the manifest says of it. */
  readonly file: ManifestFile;
  /** Its bytes. */
  readonly input: ReadAt;
}

/**
 * Reads, checks and decodes the record batches of a window. Throws `E_CORRUPT` with file and record batch if bytes are
 * not those of the manifest; no byte is decoded before its checksum is found right.
 */
export async function readWindow(
  window: RowWindow,
  files: readonly OpenFile[],
  manifest: Manifest,
  keep: KeepRow,
): Promise<LoadedWindow> {
  const blocks: RowBlock[] = [];
  for (const { file: number, batch } of window.batches) {
    const { file, input } = files[number];
    const bytes = await readRecordBatch(input, file, batch);
    let block: RowBlock;
    try {
      block = decodeRecordBatch(bytes, file.batches[batch].rows, manifest.schema);
    } catch (cause) {
      throw corruptBatch(file, batch, `cannot be decoded: ${(cause as Error).message}`, cause);
    }
    const wrong = wrongId(block, manifest.cardinalities);
    if (wrong !== undefined) throw corruptBatch(file, batch, wrong);
    blocks.push(block);
  }
  const permutation = window.permutation?.();
  if (permutation === undefined && keep === keepAll && blocks.length === 1) {
    return { blocks, rows: window.rows, order: undefined };
  }
  const order = placedRows(window, blocks, permutation, keep);
  return { blocks, rows: order.length, order };
}

/** The rows of a window that are kept, in their order. */
function placedRows(
  window: RowWindow,
  blocks: readonly RowBlock[],
  permutation: Uint32Array | undefined,
  keep: KeepRow,
): Uint32Array {
  const places = new Uint32Array(window.rows);
  let at = 0;
  for (const [number, { rows }] of blocks.entries()) {
    for (let row = 0; row < rows; row++) places[at++] = (number << ROW_BITS) | row;
  }
  const order = permutation === undefined ? places : permutation.map((place) => places[place]);
  if (keep === keepAll) return order;
  return order.filter((place) => {
    const number = place >>> ROW_BITS;
    const row = place & ROW_MASK;
    return keep(blocks[number].labels[row], window.batches[number], row);
  });
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
