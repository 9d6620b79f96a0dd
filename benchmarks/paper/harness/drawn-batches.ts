import type { Batch } from "@tt-rec/dlrm";
import { createRng } from "@tt-rec/tensor";
import { powerIds } from "../../common/ids.ts";

/** Draws batches of samples without end: one id a table by the power law of clicks, random numbers and labels. */
export function drawBatches(
  cardinalities: readonly number[],
  denseFeatures: number,
  size: number,
  seed: number,
): (count: number) => Batch[] {
  const rng = createRng(seed);
  const draws = cardinalities.map((rows, t) => powerIds(rows, createRng(seed, t + 1)));
  const draw = (): Batch => ({
    size,
    labels: Float32Array.from({ length: size }, () => (rng.uniform() < 0.25 ? 1 : 0)),
    dense: Float32Array.from({ length: size * denseFeatures }, rng.uniform),
    bags: draws.map((ids) => ({ indices: ids(size) })),
  });
  return (count) => Array.from({ length: count }, draw);
}
