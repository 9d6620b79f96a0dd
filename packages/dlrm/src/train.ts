import { isTtError, TtError } from "@tt-rec/tensor";
import type { CacheMetrics } from "@tt-rec/tt-cache";
import type { BatchSource, Split } from "./batch.ts";
import type { Dlrm } from "./dlrm.ts";
import { evaluate } from "./evaluate.ts";
import type { BinaryMetrics } from "./metrics/binary-metrics.ts";
import type { OptimizerConfig } from "./optimizer.ts";

/** What determines a training run, besides the data and the initial model; plain data, kept in checkpoints. */
export interface TrainingConfig {
  /** Passes over the training split. */
  readonly epochs: number;
  /** Samples a step. */
  readonly batchSize: number;
  /** How the parameters follow their gradients. */
  readonly optimizer: OptimizerConfig;
  /** Whether each epoch sees the training split in another order. */
  readonly shuffle: boolean;
  /** Seed of the shuffle. */
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
}

/** Evaluations during a run. */
export interface EvaluationPlan {
  /** Split to score. */
  readonly split: Split;
  /** Steps between evaluations; an epoch ends with one in any case. Absent: only after each epoch. */
  readonly everySteps?: number;
}

/** What happens in a run, in order; `progress` is the place right after it. */
export type TrainEvent = StepEvent | RefreshEvent | EvaluationEvent;

/** A step was taken. */
export interface StepEvent {
  /** Names the event. */
  readonly kind: "step";
  /** Place after the step. */
  readonly progress: TrainingProgress;
  /** Mean loss of the batch before the update, in nats. */
  readonly loss: number;
  /** Samples in the batch. */
  readonly samples: number;
  /** Wall time of the step in milliseconds, without the reading of the batch. */
  readonly milliseconds: number;
}

/** A cache took new rows at the end of the step. */
export interface RefreshEvent {
  /** Names the event. */
  readonly kind: "refresh";
  /** Place after the step. */
  readonly progress: TrainingProgress;
  /** Table of the cache. */
  readonly table: string;
  /** The cache's metrics after the refresh. */
  readonly metrics: CacheMetrics;
}

/** A split was scored. */
export interface EvaluationEvent {
  /** Names the event. */
  readonly kind: "evaluation";
  /** Place in the run. */
  readonly progress: TrainingProgress;
  /** The split. */
  readonly split: Split;
  /** The metrics. */
  readonly metrics: BinaryMetrics;
  /** Wall time in milliseconds. */
  readonly milliseconds: number;
}

const START: TrainingProgress = { step: 0, epoch: 0, batch: 0 };

/**
 * Trains a model and tells what happens, one event at a time. The run stands still while its consumer handles an event:
 * that is the moment to save a checkpoint, or to stop early by leaving the loop. Starting `from` the progress of a
 * checkpoint gives the same bits as a run that was never interrupted.
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
  const { epochs, batchSize, shuffle, seed } = config;
  let progress = from;
  let evaluatedAt: number | undefined;
  while (progress.epoch < epochs) {
    const request = { split: "train", batchSize, shuffle, seed, epoch: progress.epoch, start: progress.batch } as const;
    for await (const batch of source.batches(request)) {
      const refreshes = countRefreshes(model);
      const started = performance.now();
      const loss = await model.train(batch, config.optimizer).catch((error: unknown) => {
        throw atStep(error, progress.step + 1);
      });
      const milliseconds = performance.now() - started;
      progress = { ...progress, step: progress.step + 1, batch: progress.batch + 1 };
      yield { kind: "step", progress, loss, samples: batch.size, milliseconds };
      yield* refreshEvents(model, refreshes, progress);
      if (evaluation?.everySteps !== undefined && progress.step % evaluation.everySteps === 0) {
        yield await evaluationEvent(model, source, evaluation.split, progress);
        evaluatedAt = progress.step;
      }
    }
    progress = { step: progress.step, epoch: progress.epoch + 1, batch: 0 };
    // The last step of the epoch may just have been evaluated.
    if (evaluation !== undefined && evaluatedAt !== progress.step)
      yield await evaluationEvent(model, source, evaluation.split, progress);
  }
}

function validateTrainingConfig({ epochs, batchSize }: TrainingConfig, { everySteps = 1 }: Partial<EvaluationPlan> = {}): void {
  for (const [name, value] of Object.entries({ epochs, batchSize, everySteps })) {
    if (!(Number.isSafeInteger(value) && value >= 1))
      throw new TtError("E_OPTION", `${name} = ${value} is not a whole number of at least 1`);
  }
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
  split: Split,
  progress: TrainingProgress,
): Promise<EvaluationEvent> {
  const started = performance.now();
  const metrics = await evaluate(model, source, split);
  return { kind: "evaluation", progress, split, metrics, milliseconds: performance.now() - started };
}
