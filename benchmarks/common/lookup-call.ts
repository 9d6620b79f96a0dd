import { createRng, type Runtime, type Tensor, type UpdateRule } from "@tt-rec/tensor";
import type { Bags, EmbeddingBag } from "@tt-rec/tt-kernels";
import { createTTShape, initializeCores, type TTShape } from "@tt-rec/tt-math";
import { TABLE } from "./table.ts";

/** So small that hundreds of updates by the same gradient leave finite numbers; the work does not depend on it. */
const RULE: UpdateRule = { kind: "sgd", learningRate: 1e-6 };

/** Shape of the table in TT format, its columns split as in the paper unless said otherwise. */
export function tableShape(ranks: number, columnShape: readonly number[] = [2, 2, 4]): TTShape {
  const { rows, embeddingDim } = TABLE;
  return createTTShape({ numEmbeddings: rows, embeddingDim, rowShape: [200, 220, 250], columnShape, ranks });
}

/** Variance-matched random cores, always the same. */
export function randomCores(shape: TTShape): Float32Array[] {
  return initializeCores(shape, createRng(2021), { kind: "sampled-gaussian", scaling: "variance-matched" });
}

/** A function that takes the next batch at each call. */
export function lookupCall(
  runtime: Runtime,
  bag: EmbeddingBag,
  batches: readonly Bags[],
  phase: "forward" | "step",
): () => Promise<void> {
  let next = 0;
  if (phase === "forward") {
    return () =>
      runtime.step(async () => {
        await bag.forward(bag.plan(batches[next++ % batches.length], { training: false }));
      });
  }
  const gradient = outputGradient(runtime, bag, batches[0]);
  return () =>
    runtime.step(async () => {
      const plan = bag.plan(batches[next++ % batches.length], { training: true });
      await bag.forward(plan);
      await bag.step(plan, gradient, RULE);
    });
}

/** A random gradient of the output. It lives as long as the runtime, as the peers' does. */
function outputGradient(runtime: Runtime, bag: EmbeddingBag, { offsets, indices }: Bags): Tensor {
  const gradient = runtime.tensor([offsets === undefined ? indices.length : offsets.length - 1, bag.embeddingDim]);
  gradient.data.set(Float32Array.from({ length: gradient.size }, createRng(3).normal));
  return gradient;
}

/** Distinct prefixes of one digit, two digits, … of some rows; the last are the distinct rows. */
export function distinctPrefixes(rowShape: readonly number[], ids: Uint32Array): number[] {
  let stride = rowShape.reduce((a, b) => a * b, 1);
  return rowShape.map((extent) => {
    stride /= extent;
    const prefixes = new Set<number>();
    for (const id of ids) prefixes.add(Math.floor(id / stride));
    return prefixes.size;
  });
}

/** Multiplications and additions of a forward pass: each distinct row and each distinct prefix of rows is computed once. */
export function executedFlops({ rowShape, columnShape, ranks }: TTShape, ids: Uint32Array): number {
  let [left, flops] = [1, 0];
  for (const [k, prefixes] of distinctPrefixes(rowShape, ids).entries()) {
    // The first core is not multiplied by anything.
    if (k > 0) flops += 2 * prefixes * left * ranks[k] * columnShape[k] * ranks[k + 1];
    left *= columnShape[k];
  }
  return flops;
}
