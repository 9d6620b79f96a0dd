import { type CommittedFile, type Directory, sha256, TtError } from "@tt-rec/tensor";
import type { DlrmConfig } from "../dlrm-config.ts";
import type { TrainingConfig, TrainingProgress } from "../train.ts";

/** Name of the file that makes a folder a checkpoint; it is written last. */
export const CHECKPOINT_NAME = "checkpoint.json";

const FORMAT = "tt-rec-checkpoint";
const VERSION = 1;

/** What a checkpoint says of itself, besides the weights. */
export interface CheckpointManifest {
  /** Architecture of the model. */
  readonly config: DlrmConfig;
  /** The run it belongs to. */
  readonly training: TrainingConfig;
  /** How much of the run was done. */
  readonly progress: TrainingProgress;
  /** Engine of the dense kernels; a resume on another one may differ in the last bits. */
  readonly engine: string;
  /** The file with the weights. */
  readonly weights: CommittedFile;
}

/** Encodes a manifest with its own checksum. */
export async function encodeManifest(manifest: CheckpointManifest): Promise<Uint8Array> {
  const digest = await digestOf(manifest);
  return new TextEncoder().encode(`${JSON.stringify({ format: FORMAT, version: VERSION, sha256: digest, manifest }, null, 2)}\n`);
}

/** Reads the manifest of a checkpoint. Throws `E_NOT_FOUND`, `E_VERSION` or `E_CORRUPT`. */
export async function readManifest(directory: Directory): Promise<CheckpointManifest> {
  const file = await directory.read(CHECKPOINT_NAME);
  const bytes = await file.slice(0, file.byteLength);
  const { format, version, sha256: expected, manifest } = parse(bytes);
  if (format !== FORMAT) throw corrupt(`its format is ${JSON.stringify(format)}, not "${FORMAT}"`);
  if (version !== VERSION) {
    throw new TtError(
      "E_VERSION",
      `${CHECKPOINT_NAME} has version ${JSON.stringify(version)}; this release reads version ${VERSION}`,
    );
  }
  const actual = await digestOf(manifest);
  if (actual !== expected) throw corrupt(`its checksum is ${actual}, it says ${JSON.stringify(expected)}`);
  // The checksum is of the values; some damage leaves them as they are, such as 1e-8 turned into 1E-8.
  const written = await encodeManifest(manifest as CheckpointManifest);
  if (written.length !== bytes.length || written.some((byte, i) => byte !== bytes[i]))
    throw corrupt("it was changed after it was written");
  return manifest as CheckpointManifest;
}

function digestOf(manifest: unknown): Promise<string> {
  return sha256(new TextEncoder().encode(JSON.stringify(manifest)));
}

function parse(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw corrupt("it is not JSON", cause);
  }
  throw corrupt("it is not a JSON object");
}

function corrupt(rule: string, cause?: unknown): TtError {
  return new TtError(
    "E_CORRUPT",
    `${CHECKPOINT_NAME} is damaged: ${rule}`,
    { file: CHECKPOINT_NAME },
    cause === undefined ? undefined : { cause },
  );
}
