import type { Directory } from "@tt-rec/tensor";
import { loadDictionaries } from "../dictionary/dictionaries-file.ts";
import { readManifest } from "../manifest/read-manifest.ts";
import { openListed } from "./open-dataset.ts";
import { readRegion } from "./read-window.ts";

/**
 * Checks every byte of a data set against its checksums: the manifest, the dictionaries, and of each Arrow file the header,
 * every record batch and the footer, which cover it without a gap. Memory is one record batch and the dictionaries.
 *
 * Throws `E_NOT_FOUND`, `E_VERSION`, or `E_CORRUPT` with the file and the place.
 */
export async function verifyDataset(directory: Directory): Promise<void> {
  const manifest = await readManifest(directory);
  await loadDictionaries(directory, manifest);
  for (const file of manifest.files) {
    const input = await openListed(directory, file);
    await readRegion(input, file.header, file.name, "header");
    for (const [number, batch] of file.batches.entries()) await readRegion(input, batch, file.name, `record batch ${number}`);
    await readRegion(input, file.footer, file.name, "footer");
  }
}
