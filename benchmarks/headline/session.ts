import { type Sample, timed } from "../common/measure.ts";

/** The cases of one group, and what they hold while its rounds run. */
export interface Session {
  /** Adds a case that is timed; `prepare` is called at its first use and returns what is timed, after a while that does not count. */
  time(key: string, prepare: () => Promise<() => unknown>): void;
  /** Adds a case that makes its sample itself. */
  sample(key: string, take: () => Promise<Sample>): void;
  /** Something that is made at its first use, once, and freed at the end of the session. */
  hold<T>(make: () => Promise<T>, free: (held: T) => unknown): () => Promise<T>;
  /** Keys of all cases. */
  readonly keys: readonly string[];
  /** Measures a case once. */
  measure(key: string): Promise<Sample>;
  /** Frees what was made, the last first. */
  close(): Promise<void>;
}

/** Makes a session without cases. */
export function createSession(budgetMs: number): Session {
  const cases = new Map<string, () => Promise<Sample>>();
  const free: (() => Promise<unknown>)[] = [];
  return {
    time(key, prepare) {
      let prepared: Promise<() => unknown> | undefined;
      const warmUp = async (): Promise<() => unknown> => {
        const run = await prepare();
        // The first round would be measured on code that is still being compiled: up to twice as slow.
        await timed(run, 2 * budgetMs);
        return run;
      };
      cases.set(key, async () => {
        prepared ??= warmUp();
        return timed(await prepared, budgetMs);
      });
    },
    sample(key, take) {
      cases.set(key, take);
    },
    hold<T>(make: () => Promise<T>, freeOne: (held: T) => unknown) {
      let held: Promise<T> | undefined;
      return () => {
        if (held === undefined) {
          held = make();
          const made = held;
          free.push(async () => freeOne(await made));
        }
        return held;
      };
    },
    get keys() {
      return [...cases.keys()];
    },
    async measure(key) {
      const take = cases.get(key);
      if (take === undefined) throw new RangeError(`no case is called ${key}`);
      return take();
    },
    async close() {
      // What could not be made was reported where it was needed.
      for (const one of free.splice(0).reverse()) await one().catch(() => undefined);
      cases.clear();
    },
  };
}
