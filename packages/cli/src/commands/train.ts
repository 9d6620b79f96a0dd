import { openDataset } from "@tt-rec/criteo-loader";
import {
  CHECKPOINT_NAME,
  Dlrm,
  evaluate,
  loadCheckpoint,
  saveCheckpoint,
  type TrainingConfig,
  type TrainingProgress,
  train as trainModel,
} from "@tt-rec/dlrm";
import { createRng, Runtime, TtError } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import type { TrainSettings } from "../options/train-options.ts";
import { formatBytes, formatRatio } from "../output/format.ts";
import type { Reporter } from "../output/reporter.ts";
import { CurveRecorder, cacheTotals } from "../run/curve-recorder.ts";
import { metricsText } from "../run/metrics-text.ts";
import { modelConfig } from "../run/model-config.ts";
import { type EvaluationPoint, type RunRecord, writeRunRecord } from "../run/run-record.ts";

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

/** Trains a model on a data set and leaves a checkpoint and the record of the run. */
export async function train(
  { dataset, out, name, resume, replace }: TrainPaths,
  settings: TrainSettings,
  reporter: Reporter,
): Promise<void> {
  const data = await openDataset(nodeDirectory(dataset));
  const target = nodeDirectory(out);
  if (!resume && !replace && (await target.list()).includes(CHECKPOINT_NAME)) {
    throw new TtError("E_EXISTS", `${out} holds a run; --resume goes on with it, --replace starts over`, { file: out });
  }
  const runtime = await Runtime.create();
  const { model, progress } = await startModel(runtime);
  const training = trainingConfig(settings);
  const totalSteps = Math.ceil(data.rows("train") / settings.batchSize) * settings.epochs;
  const uncompressedBytes = data.cardinalities.reduce((sum, rows) => sum + 4 * rows * settings.embeddingDim, 0);
  reporter.line(
    `${name}: embeddings ${formatBytes(model.embeddingParameterBytes)} (${formatRatio(uncompressedBytes / model.embeddingParameterBytes)}), MLPs ${formatBytes(model.mlpBytes)}, ${totalSteps} steps`,
  );

  const curve = new CurveRecorder(totalSteps);
  const evaluations: EvaluationPoint[] = [];
  // A data set without validation rows is evaluated at the end only: the test rows are for the finished model.
  const plan =
    data.rows("validation") > 0
      ? { split: "validation" as const, ...(settings.evaluateEvery > 0 && { everySteps: settings.evaluateEvery }) }
      : undefined;
  const bar = reporter.bar("train", totalSteps, "steps");
  let last = progress;
  try {
    for await (const event of trainModel(model, data, training, plan, progress)) {
      last = event.progress;
      if (event.kind === "step") {
        const { step } = event.progress;
        const point = curve.record(step, event.loss, event.milliseconds, model);
        if (point !== undefined) {
          bar.update(step, `loss ${point.loss.toFixed(4)}`);
          reporter.event("step", point);
        }
        if (settings.checkpointEvery > 0 && step % settings.checkpointEvery === 0) {
          await saveCheckpoint(target, runtime, model, training, event.progress);
          reporter.event("checkpoint", { step });
        }
      } else if (event.kind === "evaluation") {
        evaluations.push({ step: event.progress.step, split: event.split, ...event.metrics });
        bar.log(`step ${event.progress.step}: ${event.split} ${metricsText(event.metrics)}`);
        reporter.event("evaluation", { step: event.progress.step, split: event.split, ...event.metrics });
      } else {
        reporter.event("refresh", { step: event.progress.step, table: event.table, ...event.metrics });
      }
    }
  } finally {
    bar.stop();
  }
  await saveCheckpoint(target, runtime, model, training, last);
  const test = await evaluate(model, data, "test");
  const { hits, lookups } = cacheTotals(model);
  const record: RunRecord = {
    name,
    settings,
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
  await runtime.close();

  /** A fresh model, or the one of the checkpoint in `out`. */
  async function startModel(runtime: Runtime): Promise<{ model: Dlrm; progress: TrainingProgress }> {
    const config = modelConfig(settings, data);
    if (!resume) return { model: new Dlrm(runtime, config, createRng(settings.seed)), progress: { step: 0, epoch: 0, batch: 0 } };
    const { model, manifest } = await loadCheckpoint(runtime, target);
    const same =
      JSON.stringify([manifest.config, { ...manifest.training, epochs: 0 }]) ===
      JSON.stringify([config, { ...trainingConfig(settings), epochs: 0 }]);
    if (!same)
      throw new TtError(
        "E_MISMATCH",
        `the checkpoint in ${out} belongs to a run with other settings or data; --resume needs the same ones`,
      );
    return { model, progress: manifest.progress };
  }
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
