import { type Directory, TtError } from "@tt-rec/tensor";
import { loadDictionary } from "../dictionary/dictionaries-file.ts";
import { readManifest } from "../manifest/read-manifest.ts";
import { openListed } from "./open-dataset.ts";
import { readRecordBatch } from "./read-window.ts";

/**
 * Checks every byte of a data set: the manifest, the dictionaries and the Arrow files, each against its SHA-256. Files
 * are read in pieces.
 *
 * Throws `E_NOT_FOUND`, `E_VERSION`, or `E_CORRUPT` with the file and, where it is known, the record batch.
 */
export async function verifyDataset(directory: Directory): Promise<void> {
  const manifest = await readManifest(directory);
  for (const column of manifest.dictionaries.keys()) await loadDictionary(directory, manifest, column);
  for (const file of manifest.files) {
    const input = await openListed(directory, file);
    if ((await directory.digest(file.name)) === file.sha256) continue;
    for (const number of file.batches.keys()) await readRecordBatch(input, file, number);
    throw new TtError("E_CORRUPT", `${file.name} does not match its checksum, outside its record batches`, { file: file.name });
  }
}
