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
      if (!host.runShort(value.tasks, value.nanoseconds)) await host.run(value.tasks, value.nanoseconds);
    }
  } finally {
    // Lets the generator give up its workspace if a kernel failed.
    phases.return(undefined as never);
  }
}

/** Joins several works into one: the first phases of all side by side, then the second, and so on. */
export function* sideBySide<T>(works: readonly Phases<T>[]): Phases<T[]> {
  const results = new Array<T>(works.length);
  const isOpen = new Array<boolean>(works.length).fill(true);
  try {
    for (;;) {
      let phase: Phase | undefined;
      for (let i = 0; i < works.length; i++) {
        if (!isOpen[i]) continue;
        const { done, value } = works[i].next();
        if (done === true) {
          results[i] = value;
          isOpen[i] = false;
        } else phase = phase === undefined ? value : joined(phase, value);
      }
      if (phase === undefined) return results;
      yield phase;
    }
  } finally {
    for (let i = 0; i < works.length; i++) if (isOpen[i]) works[i].return(undefined as never);
  }
}

function joined(a: Phase, b: Phase): Phase {
  return { tasks: a.tasks.concat(b.tasks), nanoseconds: a.nanoseconds + b.nanoseconds };
}
