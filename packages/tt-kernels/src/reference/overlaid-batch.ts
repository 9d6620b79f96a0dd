import type { Runtime, Tensor } from "@tt-rec/tensor";
import type { BagBatch } from "../batch.ts";
import type { PhasedStep, SliceGradients } from "../embedding-bag.ts";
import type { LaidRows } from "../int8-rows.ts";
import { selectPositions } from "../lookup/lookup.ts";
import type { OverlaidLookup } from "../lookup/overlay.ts";
import type { TTCores } from "../tt-cores.ts";
import { referenceDenseBatch } from "./dense-batch.ts";
import { referenceTTBatch } from "./tt-batch.ts";

/** A batch of a TT table over which other rows are laid, in plain TypeScript: two batches of their own, whose outputs are added. */
export function referenceOverlaidBatch(runtime: Runtime, cores: TTCores, laid: LaidRows, overlaid: OverlaidLookup): BagBatch {
  const { lookup, slots, laid: above, below } = overlaid;
  const tt = referenceTTBatch(runtime, cores, selectPositions(lookup, below));
  const laidSlots = above.map((p) => slots[p]);
  const rows = referenceDenseBatch(runtime, laid, selectPositions(lookup, above, laidSlots));
  // The parts that have a position.
  const parts = above.length === 0 ? [tt] : below.length === 0 ? [rows] : [tt, rows];

  return {
    get uniqueRows() {
      return tt.uniqueRows + rows.uniqueRows;
    },
    get uniqueLaid() {
      return rows.uniqueRows;
    },
    *forward() {
      const out = yield* tt.forward();
      const [sum, terms] = [out.data, (yield* rows.forward()).data];
      for (let i = 0; i < sum.length; i++) sum[i] += terms[i];
      return out;
    },
    *backward(gradient): ReturnType<BagBatch["backward"]> {
      const both = [yield* tt.backward(gradient), yield* rows.backward(gradient)];
      const weights = lookup.weightFactors && runtime.scratch([lookup.rows.length]);
      scatter(weights, below, both[0].weights);
      scatter(weights, above, both[1].weights);
      const gradients: SliceGradients = {
        parts: both.flatMap(({ parts: own }) => own),
        sumOfSquares: both[0].sumOfSquares + both[1].sumOfSquares,
      };
      return weights === undefined ? gradients : { ...gradients, weights };
    },
    *prepare(gradient): ReturnType<BagBatch["prepare"]> {
      const steps: PhasedStep[] = [];
      for (const part of parts) steps.push(yield* part.prepare(gradient));
      return {
        finite: steps.every(({ finite }) => finite),
        apply: async (rule, laidRule = rule) => {
          for (const [i, step] of steps.entries()) await step.apply(parts[i] === tt ? rule : laidRule);
        },
        *applyPhases(rule, laidRule = rule) {
          for (const [i, step] of steps.entries()) yield* step.applyPhases(parts[i] === tt ? rule : laidRule);
        },
      };
    },
    *step(gradient, rule) {
      for (const part of parts) yield* part.step(gradient, rule);
    },
  };
}

function scatter(target: Tensor | undefined, positions: Uint32Array, source: Tensor | undefined): void {
  if (target === undefined || source === undefined) return;
  const [to, from] = [target.data, source.data];
  for (let i = 0; i < positions.length; i++) to[positions[i]] = from[i];
}
