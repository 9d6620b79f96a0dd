import { type ReadAt, sha256, TtError } from "@tt-rec/tensor";
import type { RecordBatchDecoder } from "../arrow/read-record-batch.ts";
import { createRowColumns, type RowColumns } from "../arrow/row-columns.ts";
import type { ByteRegion, Manifest, ManifestFile } from "../manifest/manifest.ts";
import type { RowWindow } from "./window-plan.ts";

/** The decoded rows of a window and their order. */
export interface LoadedWindow {
  /** The rows, as they lie in the file. */
  readonly columns: RowColumns;
  /** Number of rows. */
  readonly rows: number;
  /** Row to hand out at each place; absent if it is the place itself. */
  readonly order: Uint32Array | undefined;
}

/**
 * Reads, checks and decodes the record batches of a window. Throws `E_CORRUPT` with file and record batch if bytes are
 * not those of the manifest; no byte is decoded before its checksum is found right.
 */
export async function readWindow(
  window: RowWindow,
  input: ReadAt,
  file: ManifestFile,
  manifest: Manifest,
  decode: RecordBatchDecoder,
): Promise<LoadedWindow> {
  const columns = createRowColumns(manifest.schema, window.rows);
  let at = 0;
  for (const number of window.batches) {
    const region = file.batches[number];
    const what = `record batch ${number}`;
    const bytes = await readRegion(input, region, file.name, what);
    try {
      decode(bytes, region.rows, columns, at);
    } catch (cause) {
      throw corruptRegion(file.name, what, region, `cannot be decoded: ${(cause as Error).message}`, cause);
    }
    checkIds(columns.ids, at, region, manifest, file.name, what);
    at += region.rows;
  }
  return { columns, rows: window.rows, order: window.permutation?.() };
}

/** Reads a region whose bytes match their checksum. Throws `E_CORRUPT` if they do not. */
export async function readRegion(input: ReadAt, region: ByteRegion, file: string, what: string): Promise<Uint8Array> {
  const bytes = await input.slice(region.offset, region.offset + region.byteLength);
  if ((await sha256(bytes)) !== region.sha256) {
    throw corruptRegion(file, what, region, "does not match its checksum in the manifest");
  }
  return bytes;
}

function checkIds(
  ids: Uint32Array,
  at: number,
  region: ByteRegion & { readonly rows: number },
  { cardinalities }: Manifest,
  file: string,
  what: string,
): void {
  const columns = cardinalities.length;
  for (let position = at * columns, end = (at + region.rows) * columns; position < end; ) {
    for (let column = 0; column < columns; column++, position++) {
      if (ids[position] < cardinalities[column]) continue;
      const rule = `holds index ${ids[position]} in table ${column} of ${cardinalities[column]} rows`;
      throw corruptRegion(file, what, region, rule);
    }
  }
}

function corruptRegion(file: string, what: string, { offset }: ByteRegion, rule: string, cause?: unknown): TtError {
  return new TtError("E_CORRUPT", `${file}, ${what} (byte ${offset}) ${rule}`, { file, byte: offset }, { cause });
}
