import type { Runtime, Tensor, UpdateRule } from "@tt-rec/tensor";
import type { EmbeddingBag, Plan, PreparedStep } from "./embedding-bag.ts";
import { type Phases, runPhases, sideBySide } from "./phases.ts";

/**
 * Calls one method of many bags: those whose work comes in phases go through them side by side, so that small tables
 * share the threads and the waits; the others follow one by one.
 */
async function together<T>(
  runtime: Runtime,
  count: number,
  phasesOf: (i: number) => Phases<T> | undefined,
  call: (i: number) => Promise<T>,
): Promise<T[]> {
  const results = new Array<T>(count);
  const works: Phases<void>[] = [];
  const alone: number[] = [];
  for (let i = 0; i < count; i++) {
    const phases = phasesOf(i);
    if (phases === undefined) alone.push(i);
    else works.push(keep(phases, i));
  }
  function* keep(phases: Phases<T>, i: number): Phases<void> {
    results[i] = yield* phases;
  }
  await runPhases(runtime.host, sideBySide(works));
  for (const i of alone) results[i] = await call(i);
  return results;
}

/** Sorts the batches of many bags, as far as that is work of its own; `forwardTogether` does it otherwise. */
export async function sortTogether(runtime: Runtime, bags: readonly EmbeddingBag[], plans: readonly Plan[]): Promise<void> {
  const works = bags.flatMap(({ phases }, i) => (phases?.sort === undefined ? [] : [phases.sort(plans[i])]));
  await runPhases(runtime.host, sideBySide(works));
}

/** `forward` of many bags. */
export function forwardTogether(runtime: Runtime, bags: readonly EmbeddingBag[], plans: readonly Plan[]): Promise<Tensor[]> {
  return together(
    runtime,
    bags.length,
    (i) => bags[i].phases?.forward(plans[i]),
    (i) => bags[i].forward(plans[i]),
  );
}

/** `prepare` of many bags. */
export function prepareTogether(
  runtime: Runtime,
  bags: readonly EmbeddingBag[],
  plans: readonly Plan[],
  gradients: readonly Tensor[],
): Promise<PreparedStep[]> {
  return together(
    runtime,
    bags.length,
    (i) => bags[i].phases?.prepare(plans[i], gradients[i]),
    (i) => bags[i].prepare(plans[i], gradients[i]),
  );
}

/** `apply` of many prepared steps, each by its rule, and their cached rows by another if it is given. */
export async function applyTogether(
  runtime: Runtime,
  steps: readonly PreparedStep[],
  rules: readonly UpdateRule[],
  cachedRule?: UpdateRule,
): Promise<void> {
  await together(
    runtime,
    steps.length,
    (i) => steps[i].applyPhases?.(rules[i], cachedRule),
    (i) => steps[i].apply(rules[i], cachedRule),
  );
}
