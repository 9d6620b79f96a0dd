import type { Writable } from "node:stream";

/** A stream that text is written to. */
export type ConsoleStream = Writable & TerminalFlag;

/** Tells whether a stream ends at a terminal. */
export interface TerminalFlag {
  /** True at a terminal, where progress bars make sense. */
  readonly isTTY?: boolean;
}

/** Where a command writes. */
export interface ConsoleStreams {
  /** Results: tables, or JSON lines. */
  readonly stdout: ConsoleStream;
  /** Progress and errors. */
  readonly stderr: ConsoleStream;
}
