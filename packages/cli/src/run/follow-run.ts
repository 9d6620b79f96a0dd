import { setImmediate } from "node:timers/promises";
import type { Dataset } from "@tt-rec/criteo-loader";
import { saveCheckpoint, train as trainModel } from "@tt-rec/dlrm";
import type { Directory } from "@tt-rec/tensor";
import type { TrainSettings } from "../options/train-options.ts";
import type { Reporter } from "../output/reporter.ts";
import type { CurveRecorder } from "./curve-recorder.ts";
import { watchSignals } from "./interruption.ts";
import type { RunObserver } from "./run-observers.ts";
import type { StartedRun } from "./start-run.ts";
import { evaluationPlan, trainingConfig, trainingSource } from "./training-config.ts";

/**
 * Runs a training to its end, or to a signal, saves what is to be saved, and lets observers follow. Returns the run as it is
 * then, saved, and the exit code of the signal, if one came.
 */
export async function followRun(
  start: StartedRun,
  data: Dataset,
  target: Directory,
  settings: TrainSettings,
  curve: CurveRecorder,
  observers: readonly RunObserver[],
  reporter: Reporter,
): Promise<StartedRun & { readonly exitCode?: number }> {
  const { model } = start;
  const { checkpointEvery, keepCheckpoints: keep } = settings;
  const config = trainingConfig(settings);
  let { progress, manifest } = start;
  const save = async (isBest: boolean): Promise<void> => {
    const previous = manifest && { previous: manifest };
    manifest = await saveCheckpoint(target, model, config, progress, { ...previous, keep, isBest, settings });
    reporter.event("checkpoint", { step: progress.step });
  };
  const source = await trainingSource(settings, data, () => data.accessCounts());
  const plan = evaluationPlan(settings, data.rows("validation"));
  const interruption = watchSignals();
  try {
    for await (const event of trainModel(model, source, config, plan, progress)) {
      progress = event.progress;
      // Training never waits for anything, so signals would not be served until its end.
      await setImmediate();
      if (event.kind !== "step") {
        for (const { event: tell } of observers) tell?.(event);
        if (event.kind === "evaluation" && event.isBest) await save(true);
        continue;
      }
      const point = curve.record(event, model);
      if (point !== undefined) for (const { point: tell } of observers) tell?.(point);
      if (interruption.exitCode !== undefined) break;
      if (checkpointEvery > 0 && progress.step % checkpointEvery === 0) await save(false);
    }
    await save(false);
  } finally {
    for (const { end } of observers) end?.();
    interruption.stop();
  }
  const { exitCode } = interruption;
  return { model, progress, ...(manifest && { manifest }), ...(exitCode !== undefined && { exitCode }) };
}
