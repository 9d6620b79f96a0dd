import {
  createRng,
  type Directory,
  isTtError,
  type Runtime,
  readSafetensors,
  sealJson,
  TtError,
  writeSafetensors,
} from "@tt-rec/tensor";
import { Dlrm, type DlrmOptions } from "../dlrm.ts";
import type { TrainingConfig, TrainingProgress } from "../train.ts";
import { CHECKPOINT_FORMAT, CHECKPOINT_NAME, type CheckpointManifest, readManifest } from "./manifest.ts";

const WEIGHTS_NAME = /^weights-(\d+)\.safetensors$/;

/**
 * Saves a model and its place in a run. The weights go to a new file first and the manifest that names them is replaced
 * last, so that a crash at any moment leaves the checkpoint before or the one after.
 */
export async function saveCheckpoint(
  directory: Directory,
  model: Dlrm,
  training: TrainingConfig,
  progress: TrainingProgress,
): Promise<void> {
  const previous = (await directory.list()).filter((file) => WEIGHTS_NAME.test(file));
  const generation = 1 + Math.max(0, ...previous.map((file) => Number(WEIGHTS_NAME.exec(file)?.[1])));
  const name = `weights-${generation}.safetensors`;
  const weights = await directory.commit(name, writeSafetensors(await model.state()));
  const manifest: CheckpointManifest = { config: model.config, training, progress, engine: model.engine, weights };
  await directory.commit(CHECKPOINT_NAME, await sealJson(CHECKPOINT_FORMAT, manifest));
  for (const file of previous) await directory.remove(file);
}

/** A model from a checkpoint, and what the checkpoint says of it. */
export interface LoadedCheckpoint {
  /** The model, with its optimizer state and caches. */
  readonly model: Dlrm;
  /** Architecture, run and progress. */
  readonly manifest: CheckpointManifest;
}

/**
 * Loads a checkpoint after checking the SHA-256 of its files. Throws `E_NOT_FOUND` if the directory holds none,
 * `E_VERSION` if a later release wrote it, and `E_CORRUPT` if anything in it is damaged.
 */
export async function loadCheckpoint(
  runtime: Runtime,
  directory: Directory,
  options: DlrmOptions = {},
): Promise<LoadedCheckpoint> {
  const manifest = await readManifest(directory);
  const { weights, config } = manifest;
  const digest = await directory.digest(weights.name).catch((cause: unknown) => {
    if (!(isTtError(cause) && cause.code === "E_NOT_FOUND")) throw cause;
    throw new TtError(
      "E_CORRUPT",
      `${CHECKPOINT_NAME} names ${weights.name}, which is missing`,
      { file: weights.name },
      { cause },
    );
  });
  if (digest !== weights.sha256) {
    throw new TtError("E_CORRUPT", `${weights.name} is damaged: its SHA-256 is ${digest}, ${weights.sha256} was written`, {
      file: weights.name,
    });
  }
  const { tensors } = await readSafetensors(await directory.read(weights.name));
  // Every parameter is overwritten, so the seed of this draw is of no consequence.
  const model = new Dlrm(runtime, config, createRng(0), options);
  try {
    await model.load(tensors);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { model, manifest };
}
