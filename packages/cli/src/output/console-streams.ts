import type { Writable } from "node:stream";

/** Where a command writes. */
export interface ConsoleStreams {
  /** Results: tables, or JSON lines. */
  readonly stdout: Writable & { readonly isTTY?: boolean };
  /** Progress and errors. */
  readonly stderr: Writable & { readonly isTTY?: boolean };
}
