import type { Directory } from "@tt-rec/tensor";
import { memoryDirectory, TtError } from "@tt-rec/tensor";
import { memoryScratch } from "../stage/memory-scratch.ts";
import type { RoomCounters } from "../stage/stage-rows.ts";
import { runTask, type Task, type TaskPlace, type TaskResults, type Tell } from "./tasks.ts";

/** A task that was done, or failed. */
export type Outcome<T> = { readonly result: T } | { readonly error: unknown };

/** Remembers what is done of an interrupted run. */
export interface Journal {
  /** What a unit of work gave; undefined if it is not known to be done. */
  get(unit: string): unknown;
  /** Removes what any other run left; called before the first `put`. */
  begin(): void;
  /** Records what a unit of work gave. */
  put(unit: string, result: unknown): void;
}

/** Where and how `prepare` works: threads and files, or neither. */
export interface Workplace extends TaskPlace {
  /** Whether sources are cut into parts that are sent to other threads. */
  readonly parallel: boolean;
  /** Bytes that the hash table of one column may take. */
  readonly tableBytes: number;
  /** Counters that all threads can reach, starting at 0. */
  counters(count: number): RoomCounters;
  /** Does tasks, starting them in order; after a failure none is started. Each outcome is told as it is known. */
  run<K extends Task["kind"]>(
    tasks: readonly Extract<Task, { kind: K }>[],
    tell: Tell,
    onDone: (index: number, result: TaskResults[K]) => Promise<void>,
  ): Promise<Outcome<TaskResults[K]>[]>;
  /** The journal of a run that this key describes. Absent if nothing outlives the process. */
  journal?(key: string): Journal;
  /** Throws away all that is not part of the data set. */
  clean(): Promise<void>;
}

/** Bytes for the hash tables of all threads. */
export const DEFAULT_MEMORY: number = 1 << 30;

/** Works on the calling thread, with intermediate columns in memory. */
export function memoryWorkplace(target: Directory): Workplace {
  const place: TaskPlace = {
    scratch: memoryScratch(),
    target,
    aside: memoryDirectory(),
    open() {
      throw new TtError("E_OPTION", "a part of a source cannot be opened without files");
    },
  };
  return {
    ...place,
    parallel: false,
    tableBytes: DEFAULT_MEMORY,
    counters: (count) => new BigInt64Array(count),
    run: (tasks, tell, onDone) => runInline(tasks, place, tell, onDone),
    clean: async () => undefined,
  };
}

/** Does tasks one after the other on the calling thread. */
export async function runInline<K extends Task["kind"]>(
  tasks: readonly Extract<Task, { kind: K }>[],
  place: TaskPlace,
  tell: Tell,
  onDone: (index: number, result: TaskResults[K]) => Promise<void>,
): Promise<Outcome<TaskResults[K]>[]> {
  const outcomes: Outcome<TaskResults[K]>[] = [];
  for (const [index, task] of tasks.entries()) {
    try {
      const result = (await runTask(task, place, tell)) as TaskResults[K];
      outcomes.push({ result });
      await onDone(index, result);
    } catch (error) {
      outcomes[index] = { error };
      break;
    }
  }
  return outcomes;
}

/** The results of tasks that were all done; throws the error of the first that failed. */
export function allDone<T>(outcomes: readonly Outcome<T>[]): T[] {
  return outcomes.map((outcome) => {
    if ("error" in outcome) throw outcome.error;
    return outcome.result;
  });
}
