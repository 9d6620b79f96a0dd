import { isTtError, TtError } from "@tt-rec/tensor";
import type { BatchSource, Shuffle, Split } from "./batch.ts";
import type { Dlrm } from "./dlrm.ts";
import { type BestEvaluation, rankEvaluation, type StoppingRule, stopReason, validateStoppingRule } from "./early-stopping.ts";
import { evaluate } from "./evaluate.ts";
import type { OptimizerConfig } from "./optimizer.ts";
import type { EvaluationEvent, RefreshEvent, TrainEvent } from "./train-events.ts";

/** What determines a training run, besides the data and the initial model; plain data, kept in checkpoints. */
export interface TrainingConfig {
  /** Passes over the training split; may be absent if `steps` is given. */
  readonly epochs?: number;
  /** Steps after which the run ends, in the middle of an epoch if need be. */
  readonly steps?: number;
  /** Samples a step. */
  readonly batchSize: number;
  /** Samples that go through the dense layers at a time; the gradient is that of the whole batch. Default all. */
  readonly microBatch?: number;
  /** How the parameters follow their gradients. */
  readonly optimizer: OptimizerConfig;
  /** Whether and how each epoch sees the training split in another order. */
  readonly shuffle: Shuffle;
  /** Share of the samples with label 0 that an epoch leaves out, others in each. Default 0. */
  readonly dropNegatives?: number;
  /** Seed of the shuffle and of what is left out. */
  readonly seed: number;
}

/** A place in a training run: how much is done. */
export interface TrainingProgress {
  /** Steps done. */
  readonly step: number;
  /** Epochs done. */
  readonly epoch: number;
  /** Batches of the present epoch done. */
  readonly batch: number;
  /** Steps before the last evaluation; absent before the first. */
  readonly evaluatedAt?: number;
  /** The best evaluation; absent without a rule that ranks them. */
  readonly best?: BestEvaluation;
}

/** Evaluations during a run. */
export interface EvaluationPlan {
  /** Split to score. */
  readonly split: Split;
  /** Steps between evaluations; an epoch, and the run, end with one in any case. Absent: only then. */
  readonly everySteps?: number;
  /** Which evaluation is the best, and whether the run ends before its time. */
  readonly stopping?: StoppingRule;
}

const START: TrainingProgress = { step: 0, epoch: 0, batch: 0 };

/**
 * Trains a model and tells what happens, one event at a time. The run stands still while its consumer handles an event:
 * that is the moment to save a checkpoint, or to stop early by leaving the loop. Starting `from` the progress of a
 * checkpoint gives the same bits as a run that was never interrupted, and ends where that one ends.
 *
 * Throws `E_OPTION` on a bad configuration, and `E_NONFINITE` with the step if training diverges.
 */
export async function* train(
  model: Dlrm,
  source: BatchSource,
  config: TrainingConfig,
  evaluation?: EvaluationPlan,
  from: TrainingProgress = START,
): AsyncGenerator<TrainEvent> {
  validateTrainingConfig(config, evaluation);
  const { epochs = Number.POSITIVE_INFINITY, steps = Number.POSITIVE_INFINITY, optimizer, microBatch, ...request } = config;
  const everySteps = evaluation?.everySteps ?? Number.POSITIVE_INFINITY;
  let progress = from;
  const isOver = (): boolean => progress.epoch >= epochs || progress.step >= steps;
  /** Scores the split once a step; a checkpoint may have been saved between a step and its evaluation. */
  async function* score(plan: EvaluationPlan): AsyncGenerator<TrainEvent> {
    if (progress.evaluatedAt === progress.step) return;
    const event = await evaluationEvent(model, source, plan, progress);
    progress = event.progress;
    yield event;
    const reason = plan.stopping && stopReason(plan.stopping, progress.best);
    if (reason !== undefined) yield { kind: "stop", progress, reason };
  }
  const hasStopped = (): boolean =>
    evaluation?.stopping !== undefined && stopReason(evaluation.stopping, progress.best) !== undefined;

  if (evaluation !== undefined && progress.step > 0 && progress.step % everySteps === 0) yield* score(evaluation);
  while (!isOver() && !hasStopped()) {
    const before = progress.step;
    const batches = source.batches({ split: "train", ...request, epoch: progress.epoch, start: progress.batch });
    for await (const batch of batches) {
      const refreshes = countRefreshes(model);
      const started = performance.now();
      const step = progress.step + 1;
      const loss = await model.train(batch, optimizer, { step, ...(microBatch && { microBatch }) }).catch((error: unknown) => {
        throw atStep(error, step);
      });
      const milliseconds = performance.now() - started;
      progress = { ...progress, step, batch: progress.batch + 1 };
      yield { kind: "step", progress, loss, samples: batch.size, milliseconds };
      yield* refreshEvents(model, refreshes, progress);
      if (evaluation !== undefined && progress.step % everySteps === 0) yield* score(evaluation);
      if (isOver() || hasStopped()) break;
    }
    if (isOver() || hasStopped()) break;
    if (progress.step === before && progress.batch === 0)
      throw new TtError("E_EMPTY", "an epoch of the training split has no batch");
    progress = { ...progress, epoch: progress.epoch + 1, batch: 0 };
    if (evaluation !== undefined) yield* score(evaluation);
  }
  // A run that ends by its steps ends in the middle of an epoch.
  if (evaluation !== undefined && progress.step > 0) yield* score(evaluation);
}

function validateTrainingConfig(
  { epochs, steps, batchSize, microBatch, dropNegatives = 0 }: TrainingConfig,
  { everySteps, stopping }: Partial<EvaluationPlan> = {},
): void {
  if (epochs === undefined && steps === undefined) throw new TtError("E_OPTION", "a run needs epochs or steps");
  for (const [name, value] of Object.entries({ epochs, steps, batchSize, microBatch, everySteps })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1))
      throw new TtError("E_OPTION", `${name} = ${value} is not a whole number of at least 1`);
  }
  if (!(dropNegatives >= 0 && dropNegatives < 1))
    throw new TtError("E_OPTION", `dropNegatives = ${dropNegatives} is not in [0, 1)`);
  if (stopping !== undefined) validateStoppingRule(stopping);
}

function atStep(error: unknown, step: number): unknown {
  if (!(isTtError(error) && error.code === "E_NONFINITE")) return error;
  return new TtError("E_NONFINITE", `step ${step}: ${error.message}`, { ...error.where, step }, { cause: error });
}

function countRefreshes(model: Dlrm): number[] {
  return model.tables.map(({ cache }) => cache?.metrics.refreshes ?? 0);
}

function* refreshEvents(model: Dlrm, before: readonly number[], progress: TrainingProgress): Generator<RefreshEvent> {
  for (const [t, { name, cache }] of model.tables.entries()) {
    const metrics = cache?.metrics;
    if (metrics !== undefined && metrics.refreshes > before[t]) yield { kind: "refresh", progress, table: name, metrics };
  }
}

async function evaluationEvent(
  model: Dlrm,
  source: BatchSource,
  { split, stopping }: EvaluationPlan,
  { best, ...place }: TrainingProgress,
): Promise<EvaluationEvent> {
  const started = performance.now();
  const metrics = await evaluate(model, source, split);
  const milliseconds = performance.now() - started;
  const ranked = stopping && rankEvaluation(stopping, best, place.step, metrics);
  const progress = { ...place, evaluatedAt: place.step, ...(ranked && { best: ranked }) };
  return { kind: "evaluation", progress, split, metrics, milliseconds, isBest: ranked?.step === place.step };
}
