import { type Directory, isTtError, type ReadAt, sha256, TtError } from "@tt-rec/tensor";
import { checkManifest } from "./check-manifest.ts";
import { FORMAT, MANIFEST_FILE, type Manifest, VERSION } from "./manifest.ts";

/** The manifest as text: JSON whose last key is the SHA-256 of the JSON without that key. */
export async function serializeManifest(manifest: Manifest): Promise<Uint8Array> {
  const encoder = new TextEncoder();
  const checksum = await sha256(encoder.encode(JSON.stringify(manifest)));
  return encoder.encode(`${JSON.stringify({ ...manifest, sha256: checksum })}\n`);
}

/**
 * Reads and checks the manifest of a data set. Throws `E_NOT_FOUND` if there is none, `E_VERSION` if its version is
 * unknown, `E_CORRUPT` if a byte of it is not as it was written or it contradicts itself.
 */
export async function readManifest(directory: Directory): Promise<Manifest> {
  const file = await openManifest(directory);
  const bytes = await file.slice(0, file.byteLength);
  const parsed = parseJson(bytes);
  if (parsed.format !== FORMAT) throw corrupt(`format = ${JSON.stringify(parsed.format)} is not "${FORMAT}"`);
  if (parsed.version !== VERSION) {
    const version = JSON.stringify(parsed.version);
    throw new TtError("E_VERSION", `${MANIFEST_FILE} has version ${version}; this program reads version ${VERSION}`, {
      file: MANIFEST_FILE,
    });
  }
  const { sha256: checksum, ...rest } = parsed;
  const manifest = checkManifest(rest);
  const expected = await serializeManifest(manifest);
  // Comparing the text finds what parsing would hide: other spaces, another order, a key that is there twice.
  if (expected.length !== bytes.length || !expected.every((byte, index) => byte === bytes[index])) {
    throw corrupt(`its checksum ${JSON.stringify(checksum)} is not that of its content`);
  }
  return manifest;
}

async function openManifest(directory: Directory): Promise<ReadAt> {
  try {
    return await directory.read(MANIFEST_FILE);
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

function parseJson(bytes: Uint8Array): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw corrupt(`it is not JSON: ${(cause as Error).message}`, cause);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw corrupt("it is not a JSON object");
  return parsed as Record<string, unknown>;
}

function corrupt(reason: string, cause?: unknown): TtError {
  return new TtError("E_CORRUPT", `${MANIFEST_FILE}: ${reason}`, { file: MANIFEST_FILE }, { cause });
}
