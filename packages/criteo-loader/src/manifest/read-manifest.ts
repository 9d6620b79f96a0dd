import { type Directory, isTtError, readSealedJson, TtError } from "@tt-rec/tensor";
import { checkManifest } from "./check-manifest.ts";
import { MANIFEST_FILE, MANIFEST_FORMAT, type Manifest } from "./manifest.ts";

/**
 * Reads and checks the manifest of a data set. Throws `E_NOT_FOUND` if there is none, `E_VERSION` if its version is
 * unknown, `E_CORRUPT` if a byte of it is not as it was written or it contradicts itself.
 */
export async function readManifest(directory: Directory): Promise<Manifest> {
  try {
    return checkManifest(await readSealedJson(directory, MANIFEST_FORMAT));
  } catch (error) {
    if (!isTtError(error) || error.code !== "E_NOT_FOUND") throw error;
    throw new TtError(
      "E_NOT_FOUND",
      `there is no data set here: ${MANIFEST_FILE} is missing, as after an interrupted prepare`,
      { file: MANIFEST_FILE },
      { cause: error },
    );
  }
}
