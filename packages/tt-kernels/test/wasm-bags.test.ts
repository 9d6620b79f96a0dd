import { createRng, Runtime } from "@tt-rec/tensor";
import { allClose, randomBags } from "@tt-rec/testing";
import { createTTShape } from "@tt-rec/tt-math";
import test from "ava";
import { type Bags, DenseEmbeddingBag, type EmbeddingBag, TTEmbeddingBag } from "../src/index.ts";
import { type Outcome, outcome, positiveCores, SHAPES } from "./bag-cases.ts";
import { CPU_CASES } from "./cpu-suite.ts";
import { compareEngines } from "./engine-agreement.ts";
import { engines, reference } from "./engines.ts";

const RUNS = process.env.TT_REC_LONG ? 300 : 12;
const TRAINING = { training: true };

for (const { name, run } of CPU_CASES) test.serial(name, (t) => run(t, { engines, reference, runs: RUNS }));

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

test.serial("slices that one id each meets agree with the reference, for SGD and Adagrad", async (t) => {
  for (const shape of SHAPES.filter(({ rowShape }) => rowShape.length === 3)) {
    const [p0, p1, p2] = shape.rowShape;
    const cores = positiveCores(shape, createRng(6));
    const make = (runtime: Runtime): EmbeddingBag => new TTEmbeddingBag(runtime, { shape, cores });
    // The last row of the padded table may be none of the table's.
    const indices = Uint32Array.from({ length: p1 - 1 }, (_, digit) => ((digit % p0) * p1 + digit) * p2 + (digit % p2));
    for (const kind of ["sgd", "adagrad"] as const) {
      await compareEngines(t, engines, reference, make, { indices }, { seed: 6, rule: { kind, learningRate: 0.01 } });
    }
  }
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
