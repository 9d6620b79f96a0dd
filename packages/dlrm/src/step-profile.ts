/**
 * A part of a training step. `plan` checks the ids, splits those that are cached from the others, and sorts those of TT tables; a
 * cached table sorts in its own forward pass. `uncompressed tables` are all that have neither TT-cores nor a cache, hashed ones and the like among them.
 */
export type StepPart =
  | "plan"
  | "uncompressed tables"
  | "TT tables"
  | "cached tables"
  | "MLPs"
  | "interaction"
  | "loss"
  | "MLPs backward"
  | "interaction backward"
  | "tables backward"
  | "finiteness"
  | "update";

/** The parts in the order of a step. */
const STEP_PARTS: readonly StepPart[] = [
  ...(["plan", "uncompressed tables", "TT tables", "cached tables", "MLPs", "interaction", "loss"] as const),
  ...(["MLPs backward", "interaction backward", "tables backward", "finiteness", "update"] as const),
];

/** Wall time of the parts of training steps, summed up. */
export class StepProfile {
  readonly #milliseconds = new Map<StepPart, number>();

  /** Milliseconds of each part that took any, in the order of a step. */
  get milliseconds(): ReadonlyMap<StepPart, number> {
    return new Map(
      STEP_PARTS.flatMap((part) => (this.#milliseconds.has(part) ? [[part, this.#milliseconds.get(part) ?? 0]] : [])),
    );
  }

  /** Does some work and counts its time for a part. */
  async time<T>(part: StepPart, work: () => T | Promise<T>): Promise<T> {
    const started = performance.now();
    const result = await work();
    this.#milliseconds.set(part, (this.#milliseconds.get(part) ?? 0) + performance.now() - started);
    return result;
  }
}

/** Does some work, and measures it if there is a profile. */
export async function timed<T>(profile: StepProfile | undefined, part: StepPart, work: () => T | Promise<T>): Promise<T> {
  return profile === undefined ? work() : profile.time(part, work);
}
