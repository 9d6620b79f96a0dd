import { Worker } from "node:worker_threads";
import { TtError } from "@tt-rec/tensor";
import type { Task, TaskResults, Tell } from "../prepare/tasks.ts";
import type { Outcome } from "../prepare/workplace.ts";

/** What a worker of `prepareFiles` is started with. */
export interface WorkerPlace {
  /** Folder of the data set. */
  readonly folder: string;
  /** Folder of the scratch files. */
  readonly scratch: string;
}

/** A task for a worker, with a number for its replies. */
export interface WorkerTask {
  readonly id: number;
  readonly task: Task;
}

/** What a worker says of a task. */
export type WorkerReply = { readonly id: number } & (
  | { readonly kind: "rows"; readonly rows: number; readonly bytes: number }
  | { readonly kind: "done"; readonly result: unknown }
  | { readonly kind: "failed"; readonly error: Error; readonly code?: string; readonly where?: object }
);

/** Tasks that a thread has at a time: one is computed while the file of the other is synced. */
const TASKS_OF_A_THREAD = 2;

/** The worker threads of a run; they are started when there is something to do. */
export class WorkerPool {
  readonly #threads: number;
  readonly #place: WorkerPlace;
  readonly #workers: Worker[] = [];
  #tasks = 0;

  constructor(threads: number, place: WorkerPlace) {
    this.#threads = threads;
    this.#place = place;
  }

  /** Does tasks, each thread the next ones in order; after a failure none is started. */
  async run<K extends Task["kind"]>(
    tasks: readonly Extract<Task, { kind: K }>[],
    tell: Tell,
    onDone: (index: number, result: TaskResults[K]) => Promise<void>,
  ): Promise<Outcome<TaskResults[K]>[]> {
    const outcomes: Outcome<TaskResults[K]>[] = [];
    const count = Math.min(this.#threads, tasks.length);
    while (this.#workers.length < count) this.#workers.push(startWorker(this.#place));
    let next = 0;
    let failed = false;
    const serve = async (worker: Worker): Promise<void> => {
      while (!failed && next < tasks.length) {
        const index = next++;
        try {
          const result = (await doTask(worker, this.#tasks++, tasks[index], tell)) as TaskResults[K];
          outcomes[index] = { result };
          await onDone(index, result);
        } catch (error) {
          failed = true;
          outcomes[index] = { error };
        }
      }
    };
    const serving = this.#workers.slice(0, count);
    await Promise.all(Array.from({ length: TASKS_OF_A_THREAD }, () => serving.map(serve)).flat());
    return outcomes;
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.splice(0).map((worker) => worker.terminate()));
  }
}

function startWorker(workerData: WorkerPlace): Worker {
  // Flags such as --test would make the worker run the program's own entry.
  return new Worker(new URL("./worker.js", import.meta.url), { workerData, execArgv: [] });
}

function doTask(worker: Worker, id: number, task: Task, tell: Tell): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
    };
    const onMessage = (reply: WorkerReply): void => {
      if (reply.id !== id) return;
      if (reply.kind === "rows") {
        tell(reply.rows, reply.bytes);
        return;
      }
      settle();
      if (reply.kind === "done") resolve(reply.result);
      else reject(revived(reply));
    };
    const lost = (reason: string): void => {
      settle();
      reject(new TtError("E_WORKER", `a worker thread ended in the middle of its task: ${reason}`));
    };
    const onError = (error: Error): void => lost(error.message);
    const onExit = (code: number): void => lost(`exit code ${code}`);
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    worker.postMessage({ id, task } satisfies WorkerTask);
  });
}

/** A deliberate error loses its code on the way between threads. */
function revived({ error, code, where }: WorkerReply & { kind: "failed" }): Error {
  if (code === undefined) return error;
  return new TtError(code as TtError["code"], error.message, where ?? {}, { cause: error });
}
