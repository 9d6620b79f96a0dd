import { once } from "node:events";
import { MultiBar, Presets, type SingleBar } from "cli-progress";
import type { ConsoleStreams } from "./console-streams.ts";

/** A running count of work done, shown as a bar on a terminal. */
export interface ProgressBar {
  /** Tells how much is done, and what is worth saying beside it. */
  update(done: number, note?: string): void;
  /** Writes a line for people; it stays above the bar. */
  log(text: string): void;
  /** Takes the bar away. */
  stop(): void;
}

/** Speaks to the user of a command: text and bars, or JSON lines. */
export interface Reporter {
  /** A line for people; silent in JSON mode. */
  line(text: string): void;
  /** Text that is the result itself, in either mode; resolves when there is room for more. */
  text(text: string): Promise<void>;
  /** An event for programs, one JSON line; silent in text mode. */
  event(kind: string, fields: object): void;
  /** A warning: a line on stderr for people, an event with these fields for programs. */
  warning(text: string, fields: object): void;
  /** Starts a bar with a rate and an estimated end; nothing is drawn unless stderr is a terminal. */
  bar(title: string, total: number, unit: string): ProgressBar;
}

/** Makes the reporter of a command. */
export function createReporter({ stdout, stderr }: ConsoleStreams, json: boolean): Reporter {
  const line = (text: string): void => {
    if (!json) stdout.write(`${text}\n`);
  };
  const event = (kind: string, fields: object): void => {
    if (json) stdout.write(`${JSON.stringify({ event: kind, ...fields })}\n`);
  };
  return {
    line,
    event,
    async text(text) {
      if (!stdout.write(text)) await once(stdout, "drain");
    },
    warning(text, fields) {
      if (!json) stderr.write(`tt-rec: warning: ${text}\n`);
      event("warning", { message: text, ...fields });
    },
    bar: (title, total, unit) => (json || stderr.isTTY !== true ? noBar(line) : drawBar(stderr, title, total, unit)),
  };
}

function noBar(log: (text: string) => void): ProgressBar {
  return { update: () => undefined, log, stop: () => undefined };
}

function drawBar(stream: ConsoleStreams["stderr"], title: string, total: number, unit: string): ProgressBar {
  const format = ` ${title.padEnd(10)} {bar} {percentage}% | {value}/{total} ${unit} | {rate} ${unit}/s | ETA {eta_formatted} {note}`;
  const bars = new MultiBar(
    { format, stream: stream as NodeJS.WritableStream, hideCursor: true, clearOnComplete: true },
    Presets.shades_grey,
  );
  const started = performance.now();
  const bar: SingleBar = bars.create(total, 0, { rate: "-", note: "" });
  return {
    update(done, note = "") {
      const seconds = (performance.now() - started) / 1000;
      bar.update(Math.min(done, total), { rate: Math.round(done / Math.max(seconds, 1e-3)).toLocaleString("en"), note });
    },
    log(text) {
      bars.log(`${text}\n`);
    },
    stop() {
      bars.stop();
    },
  };
}
