import { createRng, Runtime, type UpdateRule } from "@tt-rec/tensor";
import { randomBags, scratchFrom } from "@tt-rec/testing";
import type { Bags, Pooling } from "@tt-rec/tt-kernels";
import { createTTShape, type TTShape } from "@tt-rec/tt-math";
import fc from "fast-check";
import type { CachedTTEmbeddingBag, CachePolicyName } from "../src/index.ts";
import { normals, SHAPES } from "./overlay-oracle.ts";

/** The mode of a plan that trains. */
export const TRAINING = { training: true };

/** With an eps of the gradients' size: near 0 a small one would turn rounding into a step of full length. */
export const RULES: readonly UpdateRule[] = [
  { kind: "sgd", learningRate: 0.02, scale: 0.5 },
  { kind: "adagrad", learningRate: 0.02, eps: 0.5, scale: 2 },
  { kind: "rowWiseAdagrad", learningRate: 0.02, eps: 0.5, scale: 2 },
];

/** Rows of 16 have code of their own. */
export const OF_16: TTShape = createTTShape({
  numEmbeddings: 384,
  embeddingDim: 16,
  rowShape: [5, 7, 11],
  columnShape: [2, 2, 4],
  ranks: [8, 16],
});

/** The plain-TypeScript engine. */
export const reference: Runtime = await Runtime.create({ backend: "reference", poison: true });

/** Both builds of the kernels on 1, 2 and 4 threads. */
export const engines: readonly { readonly simd: "simd" | "relaxed"; readonly runtime: Runtime }[] = await Promise.all(
  (["simd", "relaxed"] as const).flatMap((simd) =>
    [1, 2, 4].map(async (threads) => ({ simd, runtime: await Runtime.create({ simd, threads, poison: true }) })),
  ),
);

/** How a cached bag is trained a few steps. */
export interface Case {
  readonly shape: TTShape;
  readonly seed: number;
  readonly pooling: Pooling;
  readonly rule: UpdateRule;
  readonly policy: CachePolicyName;
  readonly kind: "weighted" | "pooled" | "one id a bag";
  /** Whether updates are prepared, fused, or stacked gradients are applied. */
  readonly update: "prepare" | "step" | "apply";
}

/** Any case with one of some rules. */
export function casesWith(rules: readonly UpdateRule[]): fc.Arbitrary<Case> {
  return fc.record({
    shape: fc.constantFrom(...SHAPES, OF_16),
    seed: fc.nat(),
    pooling: fc.constantFrom<Pooling>("sum", "mean", "none"),
    rule: fc.constantFrom(...rules),
    policy: fc.constantFrom<CachePolicyName>("semi-dynamic", "resident"),
    kind: fc.constantFrom("weighted", "pooled", "one id a bag"),
    update: fc.constantFrom("prepare", "step", "apply"),
  });
}

/** Batches that depend on case and step alone: duplicates, empty bags, hot rows, and in step 4 no id. */
export function drawBags({ shape, seed, kind }: Case, step: number): Bags {
  const { uniform } = createRng(seed, step);
  const batchSize = step === 4 ? 0 : 17;
  const drawn = randomBags(uniform, { numEmbeddings: shape.numEmbeddings, batchSize, maxPooling: 5, skew: 4 });
  if (kind === "weighted") return drawn;
  return kind === "pooled" ? { indices: drawn.indices, offsets: drawn.offsets } : { indices: drawn.indices };
}

/** One step with a drawn gradient; returns the output, and what a backward pass gave besides. */
export async function trainStep(runtime: Runtime, bag: CachedTTEmbeddingBag, each: Case, step: number): Promise<number[]> {
  return runtime.step(async () => {
    const plan = bag.plan(drawBags(each, step), TRAINING);
    const out = await bag.forward(plan);
    const outputs = [...out.data];
    const gradient = scratchFrom(runtime, out.shape, normals(createRng(each.seed, 100 + step), out.size));
    if (each.update === "step") await bag.step(plan, gradient, each.rule);
    else if (each.update === "prepare") await (await bag.prepare(plan, gradient)).apply(each.rule);
    else {
      const gradients = await bag.backward(plan, gradient);
      outputs.push(gradients.sumOfSquares, ...(gradients.weights?.data ?? []));
      await bag.apply(gradients, each.rule);
    }
    return outputs;
  });
}
