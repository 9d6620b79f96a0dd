/** The program of a worker thread of `prepareFiles`: does the tasks that it is sent. */
import { parentPort, workerData } from "node:worker_threads";
import { isTtError } from "@tt-rec/tensor";
import { runTask, type TaskPlace } from "../prepare/tasks.ts";
import { filePlace } from "./file-place.ts";
import type { WorkerPlace, WorkerReply, WorkerTask } from "./worker-pool.ts";

const place: TaskPlace = filePlace(workerData as WorkerPlace);
const reply = (message: WorkerReply): void => parentPort?.postMessage(message);

parentPort?.on("message", async ({ id, task }: WorkerTask) => {
  try {
    const tell = (rows: number, bytes: number): void => reply({ id, kind: "rows", rows, bytes });
    reply({ id, kind: "done", result: await runTask(task, place, tell) });
  } catch (error) {
    const known = isTtError(error) ? { code: error.code, where: error.where } : {};
    reply({ id, kind: "failed", error: error instanceof Error ? error : new Error(String(error)), ...known });
  }
});
