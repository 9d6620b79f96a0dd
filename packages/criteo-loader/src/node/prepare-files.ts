import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { TtError } from "@tt-rec/tensor";
import type { LogSource, RowSource } from "../log/row-source.ts";
import type { Manifest } from "../manifest/manifest.ts";
import { runPipeline } from "../prepare/pipeline.ts";
import { type PrepareOptions, requireWhole } from "../prepare/prepare-options.ts";
import type { Task } from "../prepare/tasks.ts";
import { DEFAULT_MEMORY, runInline, type Workplace } from "../prepare/workplace.ts";
import { fileJournal, hasJournal } from "./file-journal.ts";
import { filePlace } from "./file-place.ts";
import { WorkerPool } from "./worker-pool.ts";

/** Folder within a data set's for what is needed until it is complete. */
export const UNFINISHED = "unfinished";

/** Options of `prepareFiles`. */
export interface PrepareFilesOptions extends PrepareOptions {
  /** Threads that work; their number changes nothing in the data set. Default: as many as the machine offers. */
  readonly threads?: number;
  /** Bytes that all hash tables together may take, at least 2^20; a dictionary that needs more is learned in parts. Default 2^30. */
  readonly memory?: number;
}

/**
 * `prepare` for a folder on disk: in worker threads, with intermediate columns in scratch files, and resumable.
 *
 * The scratch files lie in `unfinished/` within the folder and are removed at the end. They take up to 165 bytes a row of
 * Criteo; those of a source are removed when its rows are written. After an interruption, the same call goes on: sources that
 * were read, columns that were learned and files that were written are not done again, unless the machine
 * was restarted meanwhile. An error is an interruption too: the other files of a log need not be read again when one
 * was damaged and is replaced. The data set has the same bytes as one that was not interrupted. Only one process at a time may
 * work on a folder.
 *
 * Throws as `prepare` does, and `E_WORKER` if a thread ends unexpectedly.
 */
export async function prepareFiles(
  sources: readonly (LogSource | RowSource)[],
  folder: string,
  options: PrepareFilesOptions = {},
): Promise<Manifest> {
  if (sources.length === 0) throw new TtError("E_OPTION", "no source was given");
  const { threads = availableParallelism(), memory = DEFAULT_MEMORY, ...others } = options;
  requireWhole("threads", threads, 1, 256);
  requireWhole("memory", memory, 2 ** 20);
  const where = { folder, scratch: join(folder, UNFINISHED) };
  const place = filePlace(where);
  const pool = new WorkerPool(threads, where);
  const workplace: Workplace = {
    ...place,
    parallel: threads > 1,
    tableBytes: Math.floor(memory / threads),
    counters: (count) => new BigInt64Array(new SharedArrayBuffer(8 * count)),
    run: (tasks, tell, onDone) => {
      // A source without parts is known to this thread only.
      const here = threads === 1 || tasks.some((task: Task) => task.kind === "scan" && !("kind" in task.part));
      return here ? runInline(tasks, place, tell, onDone) : pool.run(tasks, tell, onDone);
    },
    journal: (key) => fileJournal(where.scratch, key),
    clean: () => rm(where.scratch, { recursive: true, force: true }),
  };
  try {
    return await runPipeline(sources, others, workplace);
  } catch (error) {
    await pool.close();
    // Without an entry there is nothing to go on with.
    if (!hasJournal(where.scratch)) await workplace.clean();
    throw error;
  } finally {
    await pool.close();
  }
}
