import { setImmediate } from "node:timers/promises";
import { type Dataset, openDataset } from "@tt-rec/criteo-loader";
import {
  CHECKPOINT_NAME,
  Dlrm,
  type DlrmConfig,
  type DlrmOptions,
  type EvaluationPlan,
  evaluate,
  loadCheckpoint,
  readManifest,
  saveCheckpoint,
  type TrainingConfig,
  type TrainingProgress,
  train as trainModel,
} from "@tt-rec/dlrm";
import { createRng, type Directory, type Runtime, TtError } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import type { ModelMachineSettings } from "../options/machine-options.ts";
import type { TrainSettings } from "../options/train-options.ts";
import { formatBytes, formatRatio } from "../output/format.ts";
import type { Reporter } from "../output/reporter.ts";
import { CurveRecorder, cacheTotals } from "../run/curve-recorder.ts";
import { watchSignals } from "../run/interruption.ts";
import { metricsText } from "../run/metrics-text.ts";
import { modelConfig } from "../run/model-config.ts";
import { type EvaluationPoint, type RunRecord, writeRunRecord } from "../run/run-record.ts";
import { withModelRuntime } from "../run/with-runtime.ts";

/** Where a run reads and writes. */
export interface TrainPaths {
  /** Folder of a prepared data set. */
  readonly dataset: string;
  /** Folder for the checkpoint and the record of the run. */
  readonly out: string;
  /** Name of the run in tables and charts. */
  readonly name: string;
  /** Go on from the checkpoint in `out`. */
  readonly resume: boolean;
  /** Replace the run in `out`. */
  readonly replace: boolean;
}

/**
 * Trains a model on a data set and leaves a checkpoint and the record of the run. A signal that asks to end makes it
 * save a checkpoint first. Returns the exit code.
 */
export async function train(
  paths: TrainPaths,
  settings: TrainSettings,
  machine: ModelMachineSettings,
  reporter: Reporter,
): Promise<number> {
  const { dataset, out } = paths;
  const data = await openDataset(nodeDirectory(dataset));
  const target = nodeDirectory(out);
  if (!paths.resume && !paths.replace && (await target.list()).includes(CHECKPOINT_NAME)) {
    throw new TtError("E_EXISTS", `${out} holds a run; --resume goes on with it, --replace starts over`, { file: out });
  }
  return withModelRuntime(machine, reporter, (runtime, tables) =>
    trainOn(runtime, tables, data, target, paths, settings, reporter),
  );
}

async function trainOn(
  runtime: Runtime,
  tables: DlrmOptions,
  data: Dataset,
  target: Directory,
  paths: TrainPaths,
  settings: TrainSettings,
  reporter: Reporter,
): Promise<number> {
  const { name } = paths;
  const { model, progress } = await startModel(runtime, tables, data, target, paths, settings, reporter);
  const save = (at: TrainingProgress): Promise<void> => saveCheckpoint(target, model, trainingConfig(settings), at);
  const uncompressedBytes = data.cardinalities.reduce((sum, rows) => sum + 4 * rows * settings.embeddingDim, 0);
  reporter.line(
    `${name}: embeddings ${formatBytes(model.embeddingParameterBytes)} (${formatRatio(uncompressedBytes / model.embeddingParameterBytes)}), MLPs ${formatBytes(model.mlpBytes)}`,
  );
  const { last, exitCode, curve, evaluations } = await followRun(model, data, settings, progress, save, reporter);
  await save(last);
  if (exitCode !== undefined) {
    reporter.line(`${name}: interrupted at step ${last.step} and saved; --resume goes on`);
    reporter.event("interrupted", { step: last.step });
    return exitCode;
  }
  const test = await evaluate(model, data, "test");
  const { hits, lookups } = cacheTotals(model);
  const record: RunRecord = {
    name,
    settings,
    engine: model.engine,
    threads: runtime.threads,
    steps: last.step,
    curve: curve.points,
    evaluations,
    test,
    embeddingBytes: model.embeddingParameterBytes,
    trainingBytes: model.embeddingBytes,
    uncompressedBytes,
    stepMilliseconds: curve.medianStepMilliseconds,
    ...(lookups > 0 && { hitRate: hits / lookups }),
  };
  await writeRunRecord(target, record);
  reporter.line(`${name}: test ${metricsText(test)}; ${record.stepMilliseconds.toFixed(2)} ms a step`);
  reporter.event("trained", { ...record, curve: undefined, evaluations: undefined });
  return 0;
}

/** A fresh model, or the one of the checkpoint in the run's folder, which must belong to the same run. */
async function startModel(
  runtime: Runtime,
  tables: DlrmOptions,
  data: Dataset,
  target: Directory,
  { out, resume }: TrainPaths,
  settings: TrainSettings,
  reporter: Reporter,
): Promise<{ model: Dlrm; progress: TrainingProgress }> {
  const config = modelConfig(settings, data, settings.budget > 0 ? await data.accessCounts() : undefined);
  const start = { step: 0, epoch: 0, batch: 0 };
  if (!resume) return { model: new Dlrm(runtime, config, createRng(settings.seed), tables), progress: start };
  const manifest = await readManifest(target);
  // More epochs than before are the usual reason to go on.
  const identity = (model: DlrmConfig, training: TrainingConfig): string => JSON.stringify([model, { ...training, epochs: 0 }]);
  if (identity(manifest.config, manifest.training) !== identity(config, trainingConfig(settings))) {
    throw new TtError(
      "E_MISMATCH",
      `the checkpoint in ${out} belongs to a run with other settings or data; --resume needs the same ones`,
    );
  }
  const { model } = await loadCheckpoint(runtime, target, tables);
  const { engine } = model;
  if (manifest.engine !== engine) {
    reporter.warning(
      `the checkpoint in ${out} was saved by the engine ${manifest.engine}, this is ${engine}: the last bits of the model may differ from those of an uninterrupted run`,
      { saved: manifest.engine, engine },
    );
  }
  return { model, progress: manifest.progress };
}

/** Runs the training to its end, or to a signal, and reports what happens on the way. */
async function followRun(
  model: Dlrm,
  data: Dataset,
  settings: TrainSettings,
  from: TrainingProgress,
  save: (at: TrainingProgress) => Promise<void>,
  reporter: Reporter,
): Promise<{ last: TrainingProgress; exitCode: number | undefined; curve: CurveRecorder; evaluations: EvaluationPoint[] }> {
  const totalSteps = Math.ceil(data.rows("train") / settings.batchSize) * settings.epochs;
  const curve = new CurveRecorder(totalSteps);
  const evaluations: EvaluationPoint[] = [];
  const interruption = watchSignals();
  const bar = reporter.bar("train", totalSteps, "steps");
  let last = from;
  try {
    for await (const event of trainModel(model, data, trainingConfig(settings), evaluationPlan(data, settings), from)) {
      last = event.progress;
      const { step } = last;
      // Training never waits for anything, so signals would not be served until its end.
      await setImmediate();
      if (event.kind === "step") {
        const point = curve.record(step, event.loss, event.milliseconds, model);
        if (point !== undefined) {
          bar.update(step, `loss ${point.loss.toFixed(4)}`);
          reporter.event("step", point);
        }
        if (interruption.exitCode !== undefined) break;
        if (settings.checkpointEvery > 0 && step % settings.checkpointEvery === 0) {
          await save(last);
          reporter.event("checkpoint", { step });
        }
      } else if (event.kind === "evaluation") {
        evaluations.push({ step, split: event.split, ...event.metrics });
        bar.log(`step ${step}: ${event.split} ${metricsText(event.metrics)}`);
        reporter.event("evaluation", { step, split: event.split, ...event.metrics });
      } else {
        reporter.event("refresh", { step, table: event.table, ...event.metrics });
      }
    }
  } finally {
    bar.stop();
    interruption.stop();
  }
  return { last, exitCode: interruption.exitCode, curve, evaluations };
}

/** A data set without validation rows is evaluated at the end only: the test rows are for the finished model. */
function evaluationPlan(data: Dataset, { evaluateEvery }: TrainSettings): EvaluationPlan | undefined {
  if (data.rows("validation") === 0) return undefined;
  return { split: "validation", ...(evaluateEvery > 0 && { everySteps: evaluateEvery }) };
}

function trainingConfig({
  optimizer,
  learningRate,
  ttLearningRate,
  epochs,
  batchSize,
  shuffle,
  seed,
}: TrainSettings): TrainingConfig {
  return { epochs, batchSize, optimizer: { kind: optimizer, learningRate, ttLearningRate }, shuffle, seed };
}
