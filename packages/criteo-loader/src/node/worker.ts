/** The program of a worker thread of `prepareFiles`: does one task after the other. */
import { parentPort, workerData } from "node:worker_threads";
import { isTtError } from "@tt-rec/tensor";
import { runTask, type Task, type TaskPlace } from "../prepare/tasks.ts";
import { filePlace } from "./file-place.ts";
import type { WorkerPlace, WorkerReply } from "./worker-pool.ts";

const place: TaskPlace = filePlace(workerData as WorkerPlace);
const reply = (message: WorkerReply): void => parentPort?.postMessage(message);

parentPort?.on("message", async (task: Task) => {
  try {
    reply({ kind: "done", result: await runTask(task, place, (rows, bytes) => reply({ kind: "rows", rows, bytes })) });
  } catch (error) {
    const known = isTtError(error) ? { code: error.code, where: error.where } : {};
    reply({ kind: "failed", error: error instanceof Error ? error : new Error(String(error)), ...known });
  }
});
