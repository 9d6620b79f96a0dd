import type { GpuArray } from "./gpu-array.ts";

/** Arrays on a device that die with a step of the runtime, as scratch tensors do. */
export class StepArrays {
  readonly #owned = new Map<{ readonly alive: boolean }, GpuArray[]>();

  /** Has an array die with a step. */
  own(life: { readonly alive: boolean }, array: GpuArray): GpuArray {
    const arrays = this.#owned.get(life);
    if (arrays === undefined) this.#owned.set(life, [array]);
    else arrays.push(array);
    return array;
  }

  /** Frees the arrays of steps that have ended. */
  sweep(): void {
    for (const life of this.#owned.keys()) if (!life.alive) this.#free(life);
  }

  /** Frees all arrays. */
  dispose(): void {
    for (const life of this.#owned.keys()) this.#free(life);
  }

  #free(life: { readonly alive: boolean }): void {
    for (const array of this.#owned.get(life) ?? []) array.delete();
    this.#owned.delete(life);
  }
}
