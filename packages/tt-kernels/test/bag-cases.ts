import { createRng, type NamedTensors, type Rng, type Runtime, type UpdateRule } from "@tt-rec/tensor";
import { randomBags, scratchFrom } from "@tt-rec/testing";
import { createTTShape, type TTShape } from "@tt-rec/tt-math";
import fc from "fast-check";
import type { Bags, EmbeddingBag, Pooling } from "../src/index.ts";

const TRAINING = { training: true };

/** With an eps of the gradients' size: near 0 a small one would turn rounding of the gradient into a step of full length. */
export const GPU_RULES: readonly UpdateRule[] = [
  { kind: "sgd", learningRate: 0.05, scale: 0.5 },
  { kind: "adagrad", learningRate: 0.05, eps: 0.5, scale: 2 },
  { kind: "rowWiseAdagrad", learningRate: 0.05, eps: 0.5, scale: 2 },
];

/** All rules; a device has no kernels for the last two. */
const RULES: readonly UpdateRule[] = [
  ...GPU_RULES,
  { kind: "momentum", learningRate: 0.05, momentum: 0.5, scale: 0.5 },
  { kind: "adam", learningRate: 0.05, step: 3, beta1: 0.5, beta2: 0.75, eps: 0.5, scale: 2 },
];

/** Trains of two to five cores: unequal primes, extents that fill vectors and those that have loops of their own, and the paper's (4, 4, 4) and (2, 2, 4). */
export const SHAPES: readonly TTShape[] = (
  [
    [[7, 11], [3, 5], [13]],
    [[13, 17], [4, 4], [16]],
    [
      [7, 11, 5],
      [3, 2, 5],
      [5, 3],
    ],
    [
      [5, 7, 11],
      [2, 2, 4],
      [8, 16],
    ],
    [
      [11, 5, 7],
      [2, 2, 4],
      [17, 23],
    ],
    [
      [7, 5, 13],
      [4, 4, 4],
      [16, 20],
    ],
    [
      [3, 7, 2, 5],
      [2, 3, 1, 7],
      [2, 5, 3],
    ],
    [
      [5, 3, 7, 2],
      [2, 1, 2, 4],
      [4, 8, 8],
    ],
    [
      [3, 2, 7, 2, 5],
      [2, 1, 3, 1, 2],
      [3, 2, 5, 2],
    ],
    [
      [2, 5, 3, 7, 2],
      [1, 2, 1, 2, 4],
      [2, 4, 8, 4],
    ],
    [
      [11, 5, 13],
      [2, 3, 4],
      [16, 32],
    ],
    [
      [7, 3, 5],
      [3, 1, 4],
      [16, 8],
    ],
    [
      [17, 5, 13],
      [1, 2, 8],
      [16, 16],
    ],
    [
      [5, 7, 3],
      [3, 1, 16],
      [8, 12],
    ],
    [
      [7, 11, 5],
      [1, 3, 12],
      [5, 8],
    ],
    [[7, 11], [2, 20], [4]],
    [
      [37, 2, 7],
      [1, 1, 8],
      [32, 3],
    ],
  ] as const
).map(([rowShape, columnShape, ranks]) => {
  const [rows, embeddingDim] = [rowShape, columnShape].map((extents) => extents.reduce((a: number, b) => a * b, 1));
  return createTTShape({ numEmbeddings: rows - 1, embeddingDim, rowShape, columnShape, ranks });
});

const kindOfBatch = {
  seed: fc.nat(),
  batchSize: fc.integer({ min: 0, max: 40 }),
  maxPooling: fc.integer({ min: 0, max: 30 }),
  skew: fc.constantFrom(0, 3),
  pooling: fc.constantFrom<Pooling>("sum", "mean", "none"),
  weighted: fc.boolean(),
  offsets: fc.boolean(),
};

/** Batches of all kinds. */
export const batches: fc.Arbitrary<BatchCase> = fc.record({ ...kindOfBatch, rule: fc.constantFrom(...RULES) });

/** Batches of all kinds, by rules that devices know. */
export const gpuBatches: fc.Arbitrary<BatchCase> = fc.record({ ...kindOfBatch, rule: fc.constantFrom(...GPU_RULES) });

/** A kind of batch. */
export interface BatchCase {
  readonly seed: number;
  readonly batchSize: number;
  readonly maxPooling: number;
  readonly skew: number;
  readonly pooling: Pooling;
  readonly weighted: boolean;
  readonly offsets: boolean;
  readonly rule: UpdateRule;
}

/** What a bag gives for one batch: output, gradients, and its state after two steps. */
export interface Outcome {
  readonly output: Float32Array;
  readonly parts: readonly { readonly parameter: string; readonly slices: Uint32Array; readonly values: Float32Array }[];
  readonly sumOfSquares: number;
  readonly weights: Float32Array | undefined;
  readonly state: ReadonlyMap<string, Float32Array>;
}

/** All numbers are above 0, so that no sum cancels: then rounding is small against the result, however few elements it has. */
export function positive(rng: Rng): number {
  return 0.1 + 0.9 * rng.uniform();
}

function copyOf(state: NamedTensors): Map<string, Float32Array> {
  return new Map([...state].map(([name, { data }]) => [name, Float32Array.from(data)]));
}

/** Runs a bag through forward, backward, apply and a second step. */
export async function outcome(
  runtime: Runtime,
  make: (runtime: Runtime) => EmbeddingBag,
  bags: Bags,
  gradientSeed: number,
  rule: UpdateRule,
): Promise<Outcome> {
  const bag = make(runtime);
  const rng = createRng(gradientSeed);
  const plan = bag.plan(bags, TRAINING);
  const gradient = Float32Array.from({ length: plan.outputs * bag.embeddingDim }, () => positive(rng));
  const result = await runtime.step(async () => {
    const output = (await bag.forward(plan)).data.slice();
    const upstream = scratchFrom(runtime, [plan.outputs, bag.embeddingDim], gradient);
    const gradients = await bag.backward(plan, upstream);
    const parts = gradients.parts.map(({ parameter, slices, values }) => ({ parameter, slices, values: values.data.slice() }));
    const weights = gradients.weights?.data.slice();
    await bag.apply(gradients, rule);
    return { output, parts, weights, sumOfSquares: gradients.sumOfSquares };
  });
  await runtime.step(() => bag.step(plan, scratchFrom(runtime, [plan.outputs, bag.embeddingDim], gradient), rule));
  const state = copyOf(await bag.state());
  bag.dispose();
  return { ...result, state };
}

/** Draws a batch of a kind; its weights are positive. */
export function drawBags({ seed, batchSize, maxPooling, skew, weighted, offsets }: BatchCase, numEmbeddings: number): Bags {
  const bags = randomBags(createRng(seed).uniform, { numEmbeddings, batchSize, maxPooling, skew });
  const weights = bags.weights.map((weight) => 0.1 + Math.abs(weight));
  return { indices: bags.indices, ...(offsets && { offsets: bags.offsets }), ...(weighted && { weights }) };
}

/** Cores of a shape, all of whose numbers are above 0. */
export function positiveCores(shape: TTShape, rng: Rng): Float32Array[] {
  return shape.rowShape.map((p, k) =>
    Float32Array.from({ length: p * shape.ranks[k] * shape.columnShape[k] * shape.ranks[k + 1] }, () => positive(rng)),
  );
}
