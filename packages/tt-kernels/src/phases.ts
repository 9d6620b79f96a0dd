import type { KernelHost, Task } from "@tt-rec/tensor";

/** Tasks that may run side by side. */
export interface Phase {
  /** The tasks. */
  readonly tasks: readonly Task[];
  /** A rough estimate of their time on one thread. */
  readonly nanoseconds: number;
}

/**
 * Work in phases, one after the other; between them the generator reads results and plans what is next. Plain TypeScript
 * has no tasks and ends without a phase.
 */
export type Phases<T> = Generator<Phase, T, void>;

/** Work that is none. */
export function* noPhases(): Phases<void> {}

/** Runs phases to their end. */
export async function runPhases<T>(host: KernelHost, phases: Phases<T>): Promise<T> {
  try {
    for (;;) {
      const { done, value } = phases.next();
      if (done === true) return value;
      await host.run(value.tasks, value.nanoseconds);
    }
  } finally {
    // Lets the generator give up its workspace if a kernel failed.
    phases.return(undefined as never);
  }
}

/** Joins several works into one: the first phases of all side by side, then the second, and so on. */
export function* sideBySide<T>(works: readonly Phases<T>[]): Phases<T[]> {
  const results = new Array<T>(works.length);
  const open = new Set(works.keys());
  try {
    while (open.size > 0) {
      const tasks: Task[] = [];
      let nanoseconds = 0;
      for (const i of open) {
        const { done, value } = works[i].next();
        if (done === true) {
          results[i] = value;
          open.delete(i);
        } else {
          tasks.push(...value.tasks);
          nanoseconds += value.nanoseconds;
        }
      }
      if (tasks.length > 0) yield { tasks, nanoseconds };
    }
    return results;
  } finally {
    for (const i of open) works[i].return(undefined as never);
  }
}
