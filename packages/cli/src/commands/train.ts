import { basename, dirname } from "node:path";
import { type Dataset, openDataset } from "@tt-rec/criteo-loader";
import { CHECKPOINT_NAME, type Dlrm, type DlrmOptions, evaluate, loadCheckpoint, StepProfile } from "@tt-rec/dlrm";
import { type Directory, type Runtime, TtError } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import type { ModelMachineSettings } from "../options/machine-options.ts";
import type { TrainSettings } from "../options/train-options.ts";
import { formatBytes, formatRatio, formatTable } from "../output/format.ts";
import type { Reporter } from "../output/reporter.ts";
import { CurveRecorder, cacheTotals } from "../run/curve-recorder.ts";
import { followRun } from "../run/follow-run.ts";
import { metricsText } from "../run/metrics-text.ts";
import { openFolder } from "../run/open-folder.ts";
import { historyObserver, lineObserver, progressObserver } from "../run/run-observers.ts";
import { type EvaluationPoint, type RunRecord, writeRunRecord } from "../run/run-record.ts";
import { type StartedRun, startRun } from "../run/start-run.ts";
import { totalSteps } from "../run/training-config.ts";
import { withModelRuntime } from "../run/with-runtime.ts";
import { COMPARISON_HEAD, comparisonRow } from "./compare.ts";

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
  /** Measure the parts of a step. */
  readonly profile: boolean;
  /** HTML page to write at the end. */
  readonly report: string | undefined;
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
  const { dataset, out, resume, replace } = paths;
  const data = await openFolder(dataset, openDataset);
  const target = nodeDirectory(out);
  if (!resume && !replace && (await target.list()).includes(CHECKPOINT_NAME)) {
    throw new TtError("E_EXISTS", `${out} holds a run; --resume goes on with it, --replace starts over`, { file: out });
  }
  const profile = paths.profile ? new StepProfile() : undefined;
  return withModelRuntime(machine, reporter, async (runtime, tables) => {
    const options = { ...tables, ...(profile && { profile }) };
    const start = await startRun(runtime, options, data, { target, out, resume }, settings, reporter);
    const code = await trainOn(runtime, tables, start, data, target, paths, settings, reporter);
    if (profile !== undefined) reportProfile(profile, reporter);
    return code;
  });
}

async function trainOn(
  runtime: Runtime,
  tables: DlrmOptions,
  start: StartedRun,
  data: Dataset,
  target: Directory,
  { name, report }: TrainPaths,
  settings: TrainSettings,
  reporter: Reporter,
): Promise<number> {
  const { model } = start;
  const uncompressedBytes = data.cardinalities.reduce((sum, rows) => sum + 4 * rows * settings.embeddingDim, 0);
  reporter.line(
    `${name}: embeddings ${formatBytes(model.embeddingParameterBytes)} (${formatRatio(uncompressedBytes / model.embeddingParameterBytes)}), MLPs ${formatBytes(model.mlpBytes)}`,
  );
  const steps = totalSteps(settings, data.rows("train"));
  const curve = new CurveRecorder(steps);
  const evaluations: EvaluationPoint[] = [];
  const observers = [progressObserver(reporter, steps), lineObserver(reporter), historyObserver(evaluations)];
  const { exitCode, ...end } = await followRun(start, data, target, settings, curve, observers, reporter);
  const { step } = end.progress;
  if (exitCode !== undefined) {
    reporter.line(`${name}: interrupted at step ${step} and saved; --resume goes on`);
    reporter.event("interrupted", { step });
    return exitCode;
  }
  const tested = end.manifest?.best?.progress.step ?? step;
  const test = await evaluateBest(runtime, tables, end, target, data, tested);
  const { hits, lookups } = cacheTotals(model);
  const record: RunRecord = {
    ...{ name, settings, engine: model.engine, threads: runtime.threads, steps: step, testedStep: tested },
    ...{ curve: curve.points, evaluations, test },
    embeddingBytes: model.embeddingParameterBytes,
    trainingBytes: model.embeddingBytes,
    uncompressedBytes,
    stepMilliseconds: curve.medianStepMilliseconds,
    ...(lookups > 0 && { hitRate: hits / lookups }),
  };
  await writeRunRecord(target, record);
  const of = tested === step ? "" : ` of the model of step ${tested}`;
  reporter.line(`${name}: test${of} ${metricsText(test)}; ${record.stepMilliseconds.toFixed(2)} ms a step`);
  reporter.event("trained", { ...record, curve: undefined, evaluations: undefined });
  if (report !== undefined) await writeReport(record, report, reporter);
  return 0;
}

/** Test metrics of the best model, or of the last where none was ranked. */
async function evaluateBest(
  runtime: Runtime,
  tables: DlrmOptions,
  { model, progress }: StartedRun,
  target: Directory,
  data: Dataset,
  step: number,
) {
  if (step === progress.step) return evaluate(model, data, "test");
  const best: Dlrm = (await loadCheckpoint(runtime, target, { ...tables, which: "best" })).model;
  try {
    return await evaluate(best, data, "test");
  } finally {
    best.dispose();
  }
}

async function writeReport(record: RunRecord, path: string, reporter: Reporter): Promise<void> {
  const { renderReport } = await import("../report/report-html.ts");
  const html = await renderReport([record], COMPARISON_HEAD, [comparisonRow(record)]);
  await nodeDirectory(dirname(path)).commit(basename(path), new TextEncoder().encode(html));
  reporter.line(`report: ${path}`);
}

/** The parts of the steps by their share of the time. */
function reportProfile({ milliseconds }: StepProfile, reporter: Reporter): void {
  const total = [...milliseconds.values()].reduce((a, b) => a + b, 0);
  const rows = [...milliseconds].map(([part, ms]) => [part, `${ms.toFixed(1)} ms`, `${((100 * ms) / total).toFixed(1)} %`]);
  reporter.line(formatTable(["part of a step", "all steps", "share"], rows));
  reporter.event("profile", { milliseconds: Object.fromEntries(milliseconds) });
}
