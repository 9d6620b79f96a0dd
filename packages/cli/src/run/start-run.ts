import type { Dataset } from "@tt-rec/criteo-loader";
import {
  type CheckpointManifest,
  Dlrm,
  type DlrmConfig,
  type DlrmOptions,
  loadCheckpoint,
  readManifest,
  type TrainingConfig,
  type TrainingProgress,
} from "@tt-rec/dlrm";
import { createRng, type Directory, type Runtime, TtError } from "@tt-rec/tensor";
import type { TrainSettings } from "../options/train-options.ts";
import type { Reporter } from "../output/reporter.ts";
import { modelConfig, needsCounts } from "./model-config.ts";
import { trainingConfig } from "./training-config.ts";

/** A run at its start, or where it goes on. */
export interface StartedRun {
  /** The model. */
  readonly model: Dlrm;
  /** What is done of the run. */
  readonly progress: TrainingProgress;
  /** The checkpoint that it goes on from. */
  readonly manifest?: CheckpointManifest;
}

/** Where a run is kept. */
export interface RunFolder {
  /** Its files. */
  readonly target: Directory;
  /** Its path, for people. */
  readonly out: string;
  /** Whether it goes on from the checkpoint in there. */
  readonly resume: boolean;
}

/** A fresh model, or the one of the checkpoint in the run's folder, which must belong to the same run. */
export async function startRun(
  runtime: Runtime,
  options: DlrmOptions,
  data: Dataset,
  { target, out, resume }: RunFolder,
  settings: TrainSettings,
  reporter: Reporter,
): Promise<StartedRun> {
  const isStatic = settings.cachePolicy === "static";
  const accessCounts = needsCounts(settings) || isStatic ? await data.accessCounts() : undefined;
  const config = modelConfig(settings, data, accessCounts);
  const training = trainingConfig(settings);
  if (!resume) {
    // Under the other policies a cache is to follow what comes, not what there was in all.
    const given = isStatic && accessCounts !== undefined ? { ...options, accessCounts } : options;
    return { model: new Dlrm(runtime, config, createRng(settings.seed), given), progress: { step: 0, epoch: 0, batch: 0 } };
  }
  const manifest = await readManifest(target);
  const saved = (manifest.settings ?? settings) as TrainSettings;
  if (identityOf(manifest.config, manifest.training, saved) !== identityOf(config, training, settings)) {
    throw new TtError(
      "E_MISMATCH",
      `the checkpoint in ${out} belongs to a run with other settings or data; --resume needs the same ones`,
    );
  }
  const { model } = await loadCheckpoint(runtime, target, options);
  const { engine } = model;
  if (manifest.engine !== engine) {
    reporter.warning(
      `the checkpoint in ${out} was saved by the engine ${manifest.engine}, this is ${engine}: the last bits of the model may differ from those of an uninterrupted run`,
      { saved: manifest.engine, engine },
    );
  }
  return { model, progress: manifest.progress, manifest };
}

/** What two parts of one run have in common. More epochs or steps than before are the usual reason to go on. */
function identityOf(model: DlrmConfig, training: TrainingConfig, { unknownShare, rareAtMost }: TrainSettings): string {
  return JSON.stringify([model, { ...training, epochs: 0, steps: 0 }, unknownShare, rareAtMost]);
}
