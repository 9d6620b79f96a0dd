import { type ReadAt, sha256, TtError } from "@tt-rec/tensor";
import type { RecordBatchDecoder } from "../arrow/read-record-batch.ts";
import { createRowColumns, type RowColumns } from "../arrow/row-columns.ts";
import type { BatchRegion, Manifest, ManifestFile } from "../manifest/manifest.ts";
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
    const bytes = await readRecordBatch(input, file, number);
    try {
      decode(bytes, region.rows, columns, at);
    } catch (cause) {
      throw corruptBatch(file, number, `cannot be decoded: ${(cause as Error).message}`, cause);
    }
    const wrong = wrongId(columns.ids, at, region, manifest);
    if (wrong !== undefined) throw corruptBatch(file, number, wrong);
    at += region.rows;
  }
  return { columns, rows: window.rows, order: window.permutation?.() };
}

/** Reads the bytes of a record batch that match their checksum. Throws `E_CORRUPT` if they do not. */
export async function readRecordBatch(input: ReadAt, file: ManifestFile, number: number): Promise<Uint8Array> {
  const { offset, byteLength, sha256: expected } = file.batches[number];
  const bytes = await input.slice(offset, offset + byteLength);
  if ((await sha256(bytes)) === expected) return bytes;
  throw corruptBatch(file, number, "does not match its checksum in the manifest");
}

/** Says which index is outside its table, if one is. */
function wrongId(ids: Uint32Array, at: number, { rows }: BatchRegion, { cardinalities }: Manifest): string | undefined {
  const columns = cardinalities.length;
  for (let position = at * columns, end = (at + rows) * columns; position < end; ) {
    for (let column = 0; column < columns; column++, position++) {
      if (ids[position] >= cardinalities[column]) {
        return `holds index ${ids[position]} in table ${column} of ${cardinalities[column]} rows`;
      }
    }
  }
  return undefined;
}

function corruptBatch({ name, batches }: ManifestFile, number: number, rule: string, cause?: unknown): TtError {
  const byte = batches[number].offset;
  return new TtError("E_CORRUPT", `${name}, record batch ${number} (byte ${byte}) ${rule}`, { file: name, byte }, { cause });
}
