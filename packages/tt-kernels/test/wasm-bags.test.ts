import { createRng, type NamedTensors, type Rng, Runtime, type UpdateRule } from "@tt-rec/tensor";
import { allClose, randomBags, scratchFrom } from "@tt-rec/testing";
import { createTTShape, type TTShape } from "@tt-rec/tt-math";
import test from "ava";
import fc from "fast-check";
import { type Bags, DenseEmbeddingBag, type EmbeddingBag, type Pooling, TTEmbeddingBag } from "../src/index.ts";
import { engines, reference } from "./engines.ts";

const RUNS = process.env.TT_REC_LONG ? 300 : 12;
const TRAINING = { training: true };

/** With an eps of the gradients' size: near 0 a small one would turn rounding of the gradient into a step of full length. */
const RULES: readonly UpdateRule[] = [
  { kind: "sgd", learningRate: 0.05, scale: 0.5 },
  { kind: "adagrad", learningRate: 0.05, eps: 0.5, scale: 2 },
  { kind: "rowWiseAdagrad", learningRate: 0.05, eps: 0.5, scale: 2 },
];

/** Trains of two to five cores: unequal primes, extents that fill vectors, and the paper's (4, 4, 4) and (2, 2, 4). */
const SHAPES: readonly TTShape[] = (
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
  ] as const
).map(([rowShape, columnShape, ranks]) => {
  const [rows, embeddingDim] = [rowShape, columnShape].map((extents) => extents.reduce((a: number, b) => a * b, 1));
  return createTTShape({ numEmbeddings: rows - 1, embeddingDim, rowShape, columnShape, ranks });
});

const batches = fc.record({
  seed: fc.nat(),
  batchSize: fc.integer({ min: 0, max: 40 }),
  maxPooling: fc.integer({ min: 0, max: 30 }),
  skew: fc.constantFrom(0, 3),
  pooling: fc.constantFrom<Pooling>("sum", "mean", "none"),
  weighted: fc.boolean(),
  offsets: fc.boolean(),
  rule: fc.constantFrom(...RULES),
});

type BatchCase = typeof batches extends fc.Arbitrary<infer T> ? T : never;

/** What a bag gives for one batch: output, gradients, and its state after two steps. */
interface Outcome {
  readonly output: Float32Array;
  readonly parts: readonly { readonly parameter: string; readonly slices: Uint32Array; readonly values: Float32Array }[];
  readonly sumOfSquares: number;
  readonly weights: Float32Array | undefined;
  readonly state: ReadonlyMap<string, Float32Array>;
}

/** All numbers are above 0, so that no sum cancels: then rounding is small against the result, however few elements it has. */
function positive(rng: Rng): number {
  return 0.1 + 0.9 * rng.uniform();
}

function copyOf(state: NamedTensors): Map<string, Float32Array> {
  return new Map([...state].map(([name, { data }]) => [name, Float32Array.from(data)]));
}

async function outcome(
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

function drawBags({ seed, batchSize, maxPooling, skew, weighted, offsets }: BatchCase, numEmbeddings: number): Bags {
  const bags = randomBags(createRng(seed).uniform, { numEmbeddings, batchSize, maxPooling, skew });
  const weights = bags.weights.map((weight) => 0.1 + Math.abs(weight));
  return { indices: bags.indices, ...(offsets && { offsets: bags.offsets }), ...(weighted && { weights }) };
}

/** Every engine agrees with the reference within rounding, and with itself on any number of threads to the last bit. */
async function compare(
  t: Parameters<typeof allClose>[0] & {
    deepEqual(a: unknown, b: unknown, message?: string): unknown;
    is(a: unknown, b: unknown): unknown;
  },
  make: (runtime: Runtime) => EmbeddingBag,
  bags: Bags,
  { seed, rule }: BatchCase,
): Promise<void> {
  const expected = await outcome(reference, make, bags, seed + 1, rule);
  const bySimd = new Map<string, Outcome>();
  for (const { simd, threads, runtime } of engines) {
    const actual = await outcome(runtime, make, bags, seed + 1, rule);
    const first = bySimd.get(simd);
    if (first !== undefined) {
      t.deepEqual(actual, first, `${simd}, ${threads} threads against 1`);
      continue;
    }
    bySimd.set(simd, actual);
    allClose(t, actual.output, expected.output, 1e-5);
    t.is(actual.parts.length, expected.parts.length);
    for (const [i, part] of expected.parts.entries()) {
      t.is(actual.parts[i].parameter, part.parameter);
      t.deepEqual(actual.parts[i].slices, part.slices);
      allClose(t, actual.parts[i].values, part.values, 1e-5);
    }
    allClose(t, [actual.sumOfSquares], [expected.sumOfSquares], 1e-5);
    t.is(actual.weights?.length, expected.weights?.length);
    allClose(t, actual.weights ?? [], expected.weights ?? [], 1e-5);
    t.deepEqual([...actual.state.keys()], [...expected.state.keys()]);
    for (const [name, values] of expected.state) allClose(t, actual.state.get(name) ?? [], values, 1e-5);
  }
}

for (const [i, shape] of SHAPES.entries()) {
  test.serial(
    `TT bag ${i}, rows ${shape.rowShape} by ${shape.columnShape}: both builds agree with the reference on 1, 2, 4 threads`,
    async (t) => {
      await fc.assert(
        fc.asyncProperty(batches, async (batch) => {
          const rng = createRng(batch.seed);
          const cores = shape.rowShape.map((p, k) =>
            Float32Array.from({ length: p * shape.ranks[k] * shape.columnShape[k] * shape.ranks[k + 1] }, () => positive(rng)),
          );
          const make = (runtime: Runtime): EmbeddingBag => new TTEmbeddingBag(runtime, { shape, cores, pooling: batch.pooling });
          await compare(t, make, drawBags(batch, shape.numEmbeddings), batch);
        }),
        { numRuns: RUNS },
      );
    },
  );
}

for (const embeddingDim of [1, 5, 13, 16, 20]) {
  test.serial(
    `dense bag of ${embeddingDim} columns: both builds agree with the reference, on the heap and in a memory of its own`,
    async (t) => {
      await fc.assert(
        fc.asyncProperty(batches, fc.constantFrom(7, 97), async (batch, numEmbeddings) => {
          const rng = createRng(batch.seed);
          const initial = Float32Array.from({ length: numEmbeddings * embeddingDim }, () => positive(rng));
          const initialize = (table: Float32Array): void => table.set(initial);
          const make = (runtime: Runtime): EmbeddingBag =>
            new DenseEmbeddingBag(runtime, { numEmbeddings, embeddingDim, pooling: batch.pooling, initialize });
          await compare(t, make, drawBags(batch, numEmbeddings), batch);
        }),
        { numRuns: RUNS },
      );
    },
  );
}

test.serial("a batch that is worth several threads gives the same bits on any number of them", async (t) => {
  const shape = createTTShape({
    numEmbeddings: 400_000,
    embeddingDim: 16,
    rowShape: [71, 73, 79],
    columnShape: [2, 2, 4],
    ranks: 16,
  });
  const rng = createRng(5);
  const cores = shape.rowShape.map((p, k) =>
    Float32Array.from({ length: p * shape.ranks[k] * shape.columnShape[k] * shape.ranks[k + 1] }, () => rng.normal() / 2),
  );
  const drawn = randomBags(rng.uniform, { numEmbeddings: 400_000, batchSize: 1009, maxPooling: 20, skew: 3 });
  const bags: Bags = { indices: drawn.indices, offsets: drawn.offsets };
  const results: Outcome[] = [];
  for (const { simd, runtime } of engines) {
    if (simd !== "simd") continue;
    const make = (owner: Runtime): EmbeddingBag => new TTEmbeddingBag(owner, { shape, cores });
    results.push(await outcome(runtime, make, bags, 3, { kind: "sgd", learningRate: 1e-3 }));
    results.push(await outcome(runtime, make, bags, 3, { kind: "sgd", learningRate: 1e-3 }));
  }
  for (const result of results) t.deepEqual(result, results[0]);
  const expected = await outcome(reference, (owner) => new TTEmbeddingBag(owner, { shape, cores }), bags, 3, {
    kind: "sgd",
    learningRate: 1e-3,
  });
  allClose(t, results[0].output, expected.output, 1e-5);
  for (const [name, values] of expected.state) allClose(t, results[0].state.get(name) ?? [], values, 1e-5);
});

test.serial("scoring keeps few products, and gives the bits that training gives", async (t) => {
  for (const shape of SHAPES) {
    const rng = createRng(9);
    const cores = shape.rowShape.map((p, k) =>
      Float32Array.from({ length: p * shape.ranks[k] * shape.columnShape[k] * shape.ranks[k + 1] }, rng.normal),
    );
    const { indices, offsets } = randomBags(rng.uniform, { numEmbeddings: shape.numEmbeddings, batchSize: 53, maxPooling: 7 });
    for (const { runtime } of engines) {
      const bag = new TTEmbeddingBag(runtime, { shape, cores });
      const [scored, trained] = await runtime.step(async () => {
        const outputs = [];
        for (const training of [false, true])
          outputs.push((await bag.forward(bag.plan({ indices, offsets }, { training }))).data.slice());
        return outputs;
      });
      t.deepEqual(scored, trained);
      // A plan for scoring can be trained on all the same.
      const plan = bag.plan({ indices, offsets }, { training: false });
      await runtime.step(async () => {
        const out = await bag.forward(plan);
        const [a, b] = [await bag.backward(plan, out), await bag.backward(bag.plan({ indices, offsets }, TRAINING), out)];
        t.is(a.sumOfSquares, b.sumOfSquares);
      });
      bag.dispose();
    }
  }
});

test.serial("thousands of steps take no more memory than a hundred", async (t) => {
  const steps = process.env.TT_REC_LONG ? 10_000 : 1000;
  const [shape, rng] = [SHAPES[4], createRng(4)];
  const cores = shape.rowShape.map((p, k) =>
    Float32Array.from({ length: p * shape.ranks[k] * shape.columnShape[k] * shape.ranks[k + 1] }, rng.normal),
  );
  const runtime = await Runtime.create({ threads: 2, ownMemoryBytes: 1000 });
  const bags = [
    new TTEmbeddingBag(runtime, { shape, cores }),
    new DenseEmbeddingBag(runtime, { numEmbeddings: shape.numEmbeddings, embeddingDim: shape.embeddingDim }),
  ];
  let [scratchBytes, heapBytes] = [0, 0];
  for (let step = 0; step < steps; step++) {
    const drawn = randomBags(rng.uniform, { numEmbeddings: shape.numEmbeddings, batchSize: 97, maxPooling: 7, skew: 2 });
    for (const bag of bags) {
      await runtime.step(async () => {
        const plan = bag.plan({ indices: drawn.indices, offsets: drawn.offsets }, TRAINING);
        await bag.step(plan, await bag.forward(plan), { kind: "sgd", learningRate: 1e-9 });
      });
    }
    if (step === 100) [scratchBytes, heapBytes] = [runtime.scratchBytes, runtime.host.bytes.length];
  }
  t.is(runtime.scratchBytes, scratchBytes);
  t.is(runtime.host.bytes.length, heapBytes);
  await runtime.close();
});

test.after.always(async () => {
  for (const { runtime } of engines) await runtime.close();
});
