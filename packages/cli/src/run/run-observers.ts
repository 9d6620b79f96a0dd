import type { StepEvent, TrainEvent } from "@tt-rec/dlrm";
import type { Reporter } from "../output/reporter.ts";
import type { Pace } from "./curve-recorder.ts";
import { metricsText } from "./metrics-text.ts";
import type { CurvePoint, EvaluationPoint } from "./run-record.ts";

/** Somebody who follows a run. */
export interface RunObserver {
  /** Some steps were taken. */
  readonly point?: (point: CurvePoint & Pace) => void;
  /** Anything else happened. */
  readonly event?: (event: Exclude<TrainEvent, StepEvent>) => void;
  /** The run is over, or was left. */
  readonly end?: () => void;
}

/** Shows a bar with rate and ETA on a terminal, and lines for people. */
export function progressObserver(reporter: Reporter, totalSteps: number): RunObserver {
  const bar = reporter.bar("train", totalSteps, "steps");
  return {
    point: ({ step, loss, samplesPerSecond }) =>
      bar.update(step, `loss ${loss.toFixed(4)} | ${Math.round(samplesPerSecond).toLocaleString("en")} samples/s`),
    event(event) {
      const { step } = event.progress;
      if (event.kind === "evaluation") {
        const best = event.isBest ? ", the best so far" : "";
        bar.log(`step ${step}: ${event.split} ${metricsText(event.metrics)}${best}`);
      }
      if (event.kind === "stop") bar.log(`step ${step}: stopped early: ${event.reason}`);
    },
    end: () => bar.stop(),
  };
}

/** Writes a JSON line for each happening. */
export function lineObserver(reporter: Reporter): RunObserver {
  return {
    point: (point) => reporter.event("step", point),
    event(event) {
      const { step } = event.progress;
      if (event.kind === "evaluation") {
        const { split, metrics, isBest } = event;
        reporter.event("evaluation", { step, split, ...metrics, ...(isBest && { isBest }) });
      } else if (event.kind === "refresh") reporter.event("refresh", { step, table: event.table, ...event.metrics });
      else reporter.event("stop", { step, reason: event.reason });
    },
  };
}

/** Keeps evaluations for the record of the run and its report. */
export function historyObserver(evaluations: EvaluationPoint[]): RunObserver {
  return {
    event(event) {
      if (event.kind !== "evaluation") return;
      evaluations.push({ step: event.progress.step, split: event.split, ...event.metrics });
    },
  };
}
