import { TtError } from "./errors.ts";
import { type Directory, sha256 } from "./files.ts";

/** Kind of a JSON file that vouches for itself. */
export interface SealedFormat {
  /** Name of the file in its directory. */
  readonly file: string;
  /** Name of the format, the first key of the file. */
  readonly format: string;
  /** The version that is written and read, the second key. */
  readonly version: number;
}

/** Encodes a JSON object as a file: format, version, the object's keys, and the SHA-256 of all these as the last key. */
export async function sealJson({ format, version }: SealedFormat, content: object): Promise<Uint8Array> {
  const body = { format, version, ...content };
  const checksum = await sha256(encode(JSON.stringify(body)));
  return encode(`${JSON.stringify({ ...body, sha256: checksum }, null, 1)}\n`);
}

/**
 * Reads the content of a sealed file, without format, version and checksum. Throws `E_NOT_FOUND` if there is none,
 * `E_VERSION` if it has another version, and `E_CORRUPT` if it has another format or any byte is not as it was written.
 */
export async function readSealedJson(directory: Directory, sealed: SealedFormat): Promise<Record<string, unknown>> {
  const { file } = sealed;
  const input = await directory.read(file);
  const bytes = await input.slice(0, input.byteLength);
  const { format, version, sha256: checksum, ...content } = parse(bytes, file);
  if (format !== sealed.format) throw corrupt(file, `its format is ${JSON.stringify(format)}, not "${sealed.format}"`);
  if (version !== sealed.version) {
    const numbers = `version ${JSON.stringify(version)}; this release reads version ${sealed.version}`;
    throw new TtError("E_VERSION", `${file} has ${numbers}`, { file });
  }
  const written = await sealJson(sealed, content);
  // Comparing the text finds what parsing would hide: other spaces, 1E-8 for 1e-8, a key that is there twice.
  if (written.length !== bytes.length || written.some((byte, i) => byte !== bytes[i])) {
    throw corrupt(file, `its checksum ${JSON.stringify(checksum)} is not that of its content`);
  }
  return content;
}

function parse(bytes: Uint8Array, file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw corrupt(file, `it is not JSON: ${(cause as Error).message}`, cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw corrupt(file, "it is not a JSON object");
  return value as Record<string, unknown>;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function corrupt(file: string, rule: string, cause?: unknown): TtError {
  return new TtError("E_CORRUPT", `${file} is damaged: ${rule}`, { file }, { cause });
}
