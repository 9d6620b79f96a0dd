import { constants } from "node:os";

/** The signals that ask a program to end. */
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Notices that the user wants a run to end. */
export interface Interruption {
  /** Exit code for the signal that came, 130 or 143; undefined while none has. */
  readonly exitCode: number | undefined;
  /** Stops watching. */
  stop(): void;
}

/** Watches for the first signal, so that a run can save itself; a second one ends the program at once. */
export function watchSignals(): Interruption {
  let exitCode: number | undefined;
  const note = (signal: NodeJS.Signals): void => {
    // Two signals may come within one step, and are served together behind it.
    if (exitCode !== undefined) process.exit(exitCode);
    exitCode = 128 + constants.signals[signal];
  };
  for (const signal of SIGNALS) process.on(signal, note);
  return {
    get exitCode() {
      return exitCode;
    },
    stop() {
      for (const signal of SIGNALS) process.off(signal, note);
    },
  };
}
