import type { Runtime, Tensor } from "@tt-rec/tensor";
import { type EmbeddingBag, type Plan, type PreparedStep, prepareTogether } from "@tt-rec/tt-kernels";

/** The backward passes of all tables, up to where parameters would change. */
export interface PreparedTables {
  /** One step a table. */
  readonly steps: readonly PreparedStep[];
  /** Sum of the squares of all gradients; 0 if it was not measured. */
  readonly sumOfSquares: number;
}

/** Prepares the steps of all tables side by side; gradients of TT-cores need not exist for that, so nothing is measured. */
export async function prepareTables(
  runtime: Runtime,
  bags: readonly EmbeddingBag[],
  plans: readonly Plan[],
  gradients: readonly Tensor[],
): Promise<PreparedTables> {
  return { steps: await prepareTogether(runtime, bags, plans, gradients), sumOfSquares: 0 };
}

/** As `prepareTables`, one table after another, with the gradients themselves, as clipping by their norm needs. */
export async function prepareMeasured(
  _runtime: Runtime,
  bags: readonly EmbeddingBag[],
  plans: readonly Plan[],
  outputGradients: readonly Tensor[],
): Promise<PreparedTables> {
  const steps: PreparedStep[] = [];
  let sum = 0;
  for (const [t, bag] of bags.entries()) {
    const gradients = await bag.backward(plans[t], outputGradients[t]);
    const { sumOfSquares } = gradients;
    sum += sumOfSquares;
    steps.push({
      finite: Number.isFinite(sumOfSquares),
      apply: (rule, cachedRule) => bag.apply(gradients, rule, cachedRule),
    });
  }
  return { steps, sumOfSquares: sum };
}
