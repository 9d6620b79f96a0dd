import { TtError } from "@tt-rec/tensor";

/** When a semi-dynamic cache takes new rows, in training steps. */
export interface SemiDynamicSchedule {
  /** The cache fills at the end of this step; before, every row comes from the cores. */
  readonly warmupSteps: number;
  /** From then on it refreshes at the end of every step that is a multiple of this. */
  readonly refreshEvery: number;
}

/** Throws `E_OPTION` unless both are whole numbers of at least 1. */
export function validateSchedule({ warmupSteps, refreshEvery }: SemiDynamicSchedule): void {
  for (const [name, steps] of Object.entries({ warmupSteps, refreshEvery })) {
    if (!(Number.isSafeInteger(steps) && steps >= 1)) {
      throw new TtError("E_OPTION", `${name} = ${steps} is not a whole number of at least 1`);
    }
  }
}

/** True if the cache takes new rows at the end of `step`, counted from 1. */
export function isRefreshDue({ warmupSteps, refreshEvery }: SemiDynamicSchedule, step: number): boolean {
  return step === warmupSteps || (step > warmupSteps && step % refreshEvery === 0);
}
