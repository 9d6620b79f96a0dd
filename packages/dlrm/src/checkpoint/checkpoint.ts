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
import { CHECKPOINT_FORMAT, CHECKPOINT_NAME, type CheckpointManifest, readManifest, type SavedModel } from "./manifest.ts";

const WEIGHTS_NAME = /^weights-(\d+)\.safetensors$/;

/** Options of `saveCheckpoint`. */
export interface SaveOptions {
  /** What the last save of this run returned, or what it was resumed from; absent at the first save, which replaces what is there. */
  readonly previous?: CheckpointManifest;
  /** Models to keep, the latest ones; the best one is kept besides. Default 1. */
  readonly keep?: number;
  /** Whether this is the model of the best evaluation so far. */
  readonly isBest?: boolean;
  /** Plain data to keep in the manifest. */
  readonly settings?: object;
}

/**
 * Saves a model and its place in a run. The weights go to a new file first, the manifest that names them is replaced next,
 * and files that it does not name are removed last, so that a crash at any moment leaves the checkpoint before or the one
 * after. Throws `E_IO`, and then the checkpoint before is there too.
 */
export async function saveCheckpoint(
  directory: Directory,
  model: Dlrm,
  training: TrainingConfig,
  progress: TrainingProgress,
  { previous, keep = 1, isBest = false, settings }: SaveOptions = {},
): Promise<CheckpointManifest> {
  const files = (await directory.list()).filter((file) => WEIGHTS_NAME.test(file));
  // A step is saved once: its evaluation may only tell that it was the best.
  const isSaved = previous?.progress.step === progress.step && previous.engine === model.engine;
  const weights = isSaved ? previous.weights : await commitWeights(directory, files, model);
  const saved: SavedModel = { progress, engine: model.engine, weights };
  const earlier = previous === undefined ? [] : [...previous.earlier, ...(isSaved ? [] : [savedModel(previous)])];
  const best = isBest ? saved : previous?.best;
  const manifest: CheckpointManifest = {
    ...{ config: model.config, training, ...saved },
    earlier: keep > 1 ? earlier.slice(1 - keep) : [],
    ...(best && { best }),
    ...(settings && { settings }),
  };
  await directory.commit(CHECKPOINT_NAME, await sealJson(CHECKPOINT_FORMAT, manifest));
  const named = new Set([manifest, ...manifest.earlier, ...(best ? [best] : [])].map((kept) => kept.weights.name));
  for (const file of [...files, weights.name]) if (!named.has(file)) await directory.remove(file);
  return manifest;
}

async function commitWeights(directory: Directory, files: readonly string[], model: Dlrm): Promise<SavedModel["weights"]> {
  const generation = 1 + Math.max(0, ...files.map((file) => Number(WEIGHTS_NAME.exec(file)?.[1])));
  return directory.commit(`weights-${generation}.safetensors`, writeSafetensors(await model.state()));
}

function savedModel({ progress, engine, weights }: SavedModel): SavedModel {
  return { progress, engine, weights };
}

/** Options of `loadCheckpoint`. */
export interface LoadOptions extends DlrmOptions {
  /** Which model: the latest, from which a run goes on (default), or the best, which is the latest where no evaluation was ranked. */
  readonly which?: "latest" | "best";
}

/** A model from a checkpoint, and what the checkpoint says of it. */
export interface LoadedCheckpoint {
  /** The model, with its optimizer state and caches. */
  readonly model: Dlrm;
  /** Architecture, run and progress of the checkpoint. */
  readonly manifest: CheckpointManifest;
  /** The one of its models that was loaded. */
  readonly saved: SavedModel;
}

/**
 * Loads a checkpoint after checking the SHA-256 of its files. Throws `E_NOT_FOUND` if the directory holds none,
 * `E_VERSION` if another release wrote it, and `E_CORRUPT` if anything in it is damaged.
 */
export async function loadCheckpoint(
  runtime: Runtime,
  directory: Directory,
  { which = "latest", ...options }: LoadOptions = {},
): Promise<LoadedCheckpoint> {
  const manifest = await readManifest(directory);
  const saved = savedModel((which === "best" && manifest.best) || manifest);
  await checkDigest(directory, saved.weights);
  const { tensors } = await readSafetensors(await directory.read(saved.weights.name));
  // Every parameter is overwritten, so the seed of this draw is of no consequence.
  const model = new Dlrm(runtime, manifest.config, createRng(0), options);
  try {
    await model.load(tensors);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { model, manifest, saved };
}

async function checkDigest(directory: Directory, { name, sha256 }: SavedModel["weights"]): Promise<void> {
  const digest = await directory.digest(name).catch((cause: unknown) => {
    if (!(isTtError(cause) && cause.code === "E_NOT_FOUND")) throw cause;
    throw new TtError("E_CORRUPT", `${CHECKPOINT_NAME} names ${name}, which is missing`, { file: name }, { cause });
  });
  if (digest === sha256) return;
  throw new TtError("E_CORRUPT", `${name} is damaged: its SHA-256 is ${digest}, ${sha256} was written`, { file: name });
}
