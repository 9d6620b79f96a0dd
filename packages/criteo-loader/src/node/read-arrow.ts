import { Worker } from "node:worker_threads";
import { TtError } from "@tt-rec/tensor";
import type { ForeignTable } from "../arrow/foreign-table.ts";

/** Longest time for a file, in milliseconds: apache-arrow never ends on some damaged bytes. */
const TIME_LIMIT = 60_000;
/** Heap of the thread, so that damaged lengths cannot take the memory of the process. */
const HEAP_MIB = 1024;

/** Options of `readArrow`. */
export interface ReadArrowOptions {
  /** Milliseconds after which the file is given up. Default 60,000. */
  readonly timeLimit?: number;
  /** Name of the file in errors. Default "the Arrow data". */
  readonly name?: string;
}

type Reply = { readonly table: ForeignTable } | { readonly reason: string; readonly lost?: true };

function startWorker(): Worker {
  const worker = new Worker(new URL("./arrow-worker.js", import.meta.url), {
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
  });
  // An error between two calls must not end the process.
  return worker.on("error", () => undefined);
}

function parseIn(worker: Worker, bytes: Uint8Array, timeLimit: number): Promise<Reply> {
  return new Promise((resolve) => {
    const settle = (reply: Reply): void => {
      clearTimeout(timer);
      worker.off("message", settle).off("error", onError).off("exit", onExit);
      resolve(reply);
    };
    const onError = (error: Error): void => settle({ reason: error.message, lost: true });
    const onExit = (code: number): void => settle({ reason: `its thread ended with code ${code}`, lost: true });
    const late = { reason: `it was not parsed within ${timeLimit / 1000} s`, lost: true } as const;
    const timer = setTimeout(() => settle(late), timeLimit);
    worker.on("message", settle).on("error", onError).on("exit", onExit);
    worker.postMessage(bytes);
  });
}

/**
 * Parses Arrow files or streams that this project did not write, in a thread of its own with a time limit. Bytes that have no
 * checksum cannot be known to be as they were written; what can be checked is: that the messages follow each other
 * to the end, and that every column has its rows, values and offsets.
 */
export class ArrowParser {
  #worker: Worker | undefined;

  /** Parses some bytes. Throws `E_CORRUPT` if they are no intact Arrow file, or not parsed in time. One call at a time. */
  async read(
    bytes: Uint8Array,
    { timeLimit = TIME_LIMIT, name = "the Arrow data" }: ReadArrowOptions = {},
  ): Promise<ForeignTable> {
    this.#worker ??= startWorker();
    const worker = this.#worker;
    const reply = await parseIn(worker, bytes, timeLimit);
    if ("table" in reply) return reply.table;
    // A thread that did not answer may be busy for ever.
    if (reply.lost) await this.close();
    throw new TtError("E_CORRUPT", `${name} is not an intact Arrow file: ${reply.reason}`, { file: name });
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}

/** Parses one Arrow file or stream that this project did not write; see `ArrowParser`. Throws `E_CORRUPT`. */
export async function readArrow(bytes: Uint8Array, options: ReadArrowOptions = {}): Promise<ForeignTable> {
  const parser = new ArrowParser();
  try {
    return await parser.read(bytes, options);
  } finally {
    await parser.close();
  }
}
