import type { CacheMetrics } from "@tt-rec/tt-cache";
import type { Split } from "./batch.ts";
import type { BinaryMetrics } from "./metrics/binary-metrics.ts";
import type { TrainingProgress } from "./train.ts";

/** What happens in a run, in order; `progress` is the place right after it. */
export type TrainEvent = StepEvent | RefreshEvent | EvaluationEvent | StopEvent;

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
  /** Place in the run; its `best` and `evaluatedAt` count this evaluation. */
  readonly progress: TrainingProgress;
  /** The split. */
  readonly split: Split;
  /** The metrics. */
  readonly metrics: BinaryMetrics;
  /** Wall time in milliseconds. */
  readonly milliseconds: number;
  /** Whether it is the best of the run so far; false without a rule that ranks them. */
  readonly isBest: boolean;
}

/** The run ends before its time; no event follows. */
export interface StopEvent {
  /** Names the event. */
  readonly kind: "stop";
  /** Place in the run. */
  readonly progress: TrainingProgress;
  /** Why, in words. */
  readonly reason: string;
}
