import { basename, dirname } from "node:path";
import { Worker } from "node:worker_threads";
import { type ReadAt, TtError } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import type { LogSchema } from "../log/log-schema.ts";
import type { RowBlock } from "../log/row-block.ts";
import type { RowSource, ScanState } from "../log/row-source.ts";
import type { TableSchema } from "../table/table-schema.ts";

/** Longest that the decoding of a row group may take, in milliseconds. */
const TIME_LIMIT = 60_000;

/** What a worker that reads a Parquet file is started with. */
export interface ParquetTask {
  readonly path: string;
  readonly schema: TableSchema;
  readonly logSchema: LogSchema;
  readonly state: ScanState;
}

/** What it answers when it is asked for the next block. */
export type ParquetReply =
  | { readonly kind: "block"; readonly block: RowBlock; readonly state: ScanState }
  | { readonly kind: "end"; readonly state: ScanState }
  | { readonly kind: "failed"; readonly error: Error; readonly code?: TtError["code"]; readonly where?: TtError["where"] };

/**
 * Makes a Parquet file a source of rows. It is decoded in a worker thread, because a damaged file can keep the decoder busy for
 * ever: after `timeLimit` milliseconds for a row group, `E_CORRUPT` is thrown. Otherwise as `parquetSource`.
 */
export function parquetFile(path: string, schema: TableSchema, timeLimit: number = TIME_LIMIT): RowSource {
  return { name: path, blocks: (logSchema, state) => readBlocks(path, schema, logSchema, state, timeLimit) };
}

/** Opens a file for reading anywhere. Throws `E_NOT_FOUND` or `E_IO`. */
export function fileBytes(path: string): Promise<ReadAt> {
  return nodeDirectory(dirname(path)).read(basename(path));
}

async function* readBlocks(
  path: string,
  schema: TableSchema,
  logSchema: LogSchema,
  state: ScanState,
  timeLimit: number,
): AsyncGenerator<RowBlock> {
  await fileBytes(path);
  const task: ParquetTask = { path, schema, logSchema, state: { ...state } };
  const worker = new Worker(new URL("./parquet-worker.js", import.meta.url), { workerData: task, execArgv: [] });
  // One that comes after the file was given up must not end the process.
  worker.on("error", () => undefined);
  try {
    while (true) {
      const reply = await nextReply(worker, path, timeLimit);
      if (reply.kind === "failed") throw revived(reply);
      Object.assign(state, reply.state);
      if (reply.kind === "end") return;
      yield reply.block;
    }
  } finally {
    await worker.terminate();
  }
}

function nextReply(worker: Worker, path: string, timeLimit: number): Promise<ParquetReply> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
    };
    const onMessage = (reply: ParquetReply): void => {
      settle();
      resolve(reply);
    };
    const refuse = (code: "E_CORRUPT" | "E_WORKER", reason: string): void => {
      settle();
      reject(new TtError(code, `${path} ${reason}`, { file: path }));
    };
    const onError = (error: NodeJS.ErrnoException): void => {
      // Damage can also make the decoder ask for more memory than there is.
      if (error.code === "ERR_WORKER_OUT_OF_MEMORY") refuse("E_CORRUPT", "is damaged, or needs more memory than a thread has");
      else refuse("E_WORKER", `was read by a thread that ended: ${error.message}`);
    };
    const onExit = (code: number): void => refuse("E_WORKER", `was read by a thread that ended with exit code ${code}`);
    const timer = setTimeout(() => refuse("E_CORRUPT", `is damaged, or a row group takes more than ${timeLimit} ms`), timeLimit);
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    worker.postMessage("next");
  });
}

/** A deliberate error loses its code on the way between threads. */
function revived({ error, code, where }: ParquetReply & { kind: "failed" }): Error {
  return code === undefined ? error : new TtError(code, error.message, where ?? {}, { cause: error });
}
