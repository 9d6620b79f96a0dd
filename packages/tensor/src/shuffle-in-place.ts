import type { Rng } from "./rng.ts";

/** Puts items into a random order in place (Fisher and Yates; one uniform number each) and returns them. */
export function shuffleInPlace<T extends unknown[] | Uint32Array>(items: T, rng: Rng): T {
  const list: { [index: number]: unknown } = items;
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(rng.uniform() * (last + 1));
    const kept = list[last];
    list[last] = list[other];
    list[other] = kept;
  }
  return items;
}
