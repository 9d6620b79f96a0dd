import { TtError } from "@tt-rec/tensor";

/** A warm-up and a polynomial decay of learning rates; a function of the number of the step, so there is no state to save. */
export interface ScheduleConfig {
  /** Steps W of the warm-up: in step c < W the rate is c / W of the base. Default 0. */
  readonly warmupSteps?: number;
  /** First step of the decay; needed with `decaySteps`. */
  readonly decayStart?: number;
  /** Steps N of the decay: in step `decayStart` + i the rate is ((N − i) / N)² of the base, and from its end on what it was in its last step. Default 0: none. */
  readonly decaySteps?: number;
}

/** Below this a decay does not go. */
const LEAST_RATE = 1e-7;

/** Throws `E_OPTION` unless all are whole numbers and a decay has a start. */
export function validateSchedule({ warmupSteps = 0, decayStart, decaySteps = 0 }: ScheduleConfig): void {
  for (const [name, value] of Object.entries({ warmupSteps, decayStart: decayStart ?? 0, decaySteps })) {
    if (!(Number.isSafeInteger(value) && value >= 0))
      throw new TtError("E_OPTION", `${name} = ${value} is not a whole number of at least 0`);
  }
  if (decaySteps > 0 && decayStart === undefined) throw new TtError("E_OPTION", `decaySteps = ${decaySteps} needs decayStart`);
}

/**
 * The rate of a step, counted from 1, by DLRM's policy (`--lr-num-warmup-steps`, `--lr-decay-start-step`,
 * `--lr-num-decay-steps`), but for its freeze: between warm-up and decay the rate is the base.
 */
export function learningRateAt(schedule: ScheduleConfig, base: number, step: number): number {
  const { warmupSteps = 0, decayStart = Number.POSITIVE_INFINITY, decaySteps = 0 } = schedule;
  if (step < warmupSteps) return base * (1 - (warmupSteps - step) / warmupSteps);
  if (decaySteps === 0 || step < decayStart) return base;
  const done = Math.min(step - decayStart, decaySteps - 1);
  return Math.min(base, Math.max(LEAST_RATE, base * ((decaySteps - done) / decaySteps) ** 2));
}
