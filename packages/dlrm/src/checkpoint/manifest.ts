import { type CommittedFile, type Directory, readSealedJson, type SealedFormat } from "@tt-rec/tensor";
import type { DlrmConfig } from "../dlrm-config.ts";
import type { TrainingConfig, TrainingProgress } from "../train.ts";

/** Name of the file that makes a folder a checkpoint; it is written last. */
export const CHECKPOINT_NAME = "checkpoint.json";

/** The file of a checkpoint's manifest. */
export const CHECKPOINT_FORMAT: SealedFormat = { file: CHECKPOINT_NAME, format: "tt-rec-checkpoint", version: 2 };

/** A model that was saved, and when. */
export interface SavedModel {
  /** How much of the run was done. */
  readonly progress: TrainingProgress;
  /**
   * Engine that computed, with its SIMD build and its BLAS: `wasm-relaxed+openblas-0.3.21`. A resume on another one may
   * differ in the last bits.
   */
  readonly engine: string;
  /** The file with the weights. */
  readonly weights: CommittedFile;
}

/** What a checkpoint says of itself, besides the weights; its own fields are those of the latest model. */
export interface CheckpointManifest extends SavedModel {
  /** Architecture of the model. */
  readonly config: DlrmConfig;
  /** The run it belongs to. */
  readonly training: TrainingConfig;
  /** Models before the latest that are kept, the oldest first. */
  readonly earlier: readonly SavedModel[];
  /** The model of the best evaluation, which may be the latest; absent before one was ranked. */
  readonly best?: SavedModel;
  /** What the program that trained wants to find again, such as its settings. */
  readonly settings?: object;
}

/** Reads the manifest of a checkpoint. Throws `E_NOT_FOUND`, `E_VERSION` or `E_CORRUPT`. */
export async function readManifest(directory: Directory): Promise<CheckpointManifest> {
  // What the checksum vouches for was written by saveCheckpoint.
  return (await readSealedJson(directory, CHECKPOINT_FORMAT)) as unknown as CheckpointManifest;
}
