import { createRng, Runtime } from "@tt-rec/tensor";
import { allClose, poolRows, randomBags } from "@tt-rec/testing";
import test from "ava";
import { DenseEmbeddingBag, type Pooling } from "../src/index.ts";

const TRAINING = { training: true };
const DIM = 7;
const ROWS = 31;

function bagOf(runtime: Runtime, pooling: Pooling, seed = 1): { bag: DenseEmbeddingBag; table: Float32Array } {
  const rng = createRng(seed);
  const table = Float32Array.from({ length: ROWS * DIM }, rng.normal);
  return {
    bag: new DenseEmbeddingBag(runtime, {
      numEmbeddings: ROWS,
      embeddingDim: DIM,
      pooling,
      initialize: (rows) => rows.set(table),
    }),
    table,
  };
}

test("forward gathers and pools, and backward is its transpose", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const rng = createRng(2);
  for (const pooling of ["sum", "mean", "none"] as const) {
    const { bag, table } = bagOf(runtime, pooling);
    const bags = randomBags(rng.uniform, { numEmbeddings: ROWS, batchSize: 13, maxPooling: 5, skew: 1 });
    await runtime.step(async () => {
      const plan = bag.plan(bags, TRAINING);
      const out = await bag.forward(plan);
      allClose(t, out.data, poolRows(table, DIM, bags, pooling), 1e-6);
      const gradient = runtime.scratch(out.shape);
      gradient.data.set(Float32Array.from({ length: gradient.size }, rng.normal));
      const { parts, weights } = await bag.backward(plan, gradient);
      // The output is linear in the table, so each derivative is the pooled output of a unit table.
      const expected = new Float64Array(ROWS * DIM);
      for (const row of parts[0].slices) {
        for (let j = 0; j < DIM; j++) {
          const unit = new Float64Array(ROWS * DIM);
          unit[row * DIM + j] = 1;
          expected[row * DIM + j] = poolRows(unit, DIM, bags, pooling).reduce(
            (sum, value, i) => sum + value * gradient.data[i],
            0,
          );
        }
      }
      const actual = new Float32Array(ROWS * DIM);
      for (const [i, row] of parts[0].slices.entries())
        actual.set(parts[0].values.data.subarray(i * DIM, (i + 1) * DIM), row * DIM);
      allClose(t, actual, expected, 1e-6);
      const byWeight = Float64Array.from(bags.indices, (_, p) => {
        const unit = bags.weights.map((_, i) => (i === p ? 1 : 0));
        return poolRows(table, DIM, { ...bags, weights: unit }, pooling).reduce(
          (sum, value, i) => sum + value * gradient.data[i],
          0,
        );
      });
      allClose(t, weights?.data ?? [], byWeight, 1e-5);
    });
  }
});

test("SGD and Adagrad update each looked-up row once, from the sum of its gradients", async (t) => {
  const runtime = await Runtime.create();
  const { bag, table } = bagOf(runtime, "sum");
  const step = (kind: "sgd" | "adagrad"): Promise<void> =>
    runtime.step(async () => {
      const gradient = runtime.scratch([3, DIM]);
      gradient.data.fill(1);
      await bag.step(bag.plan({ indices: Uint32Array.of(5, 5, 9) }, TRAINING), gradient, { kind, learningRate: 0.5 });
    });
  await step("sgd");
  const expected = table.slice();
  for (let j = 0; j < DIM; j++) {
    expected[5 * DIM + j] -= 1;
    expected[9 * DIM + j] -= 0.5;
  }
  allClose(t, (await bag.toDense()).data, expected, 1e-7);
  await step("adagrad");
  for (let j = 0; j < DIM; j++) {
    expected[5 * DIM + j] -= 0.5;
    expected[9 * DIM + j] -= 0.5;
  }
  allClose(t, (await bag.toDense()).data, expected, 1e-7);
  t.deepEqual((await bag.state()).get("adagrad.table")?.data.subarray(5 * DIM, 5 * DIM + 2), Float32Array.of(4, 4));
  t.is(bag.bytes, 2 * 4 * ROWS * DIM);
});

test("gradients that do not fit are refused before anything is written", async (t) => {
  const runtime = await Runtime.create();
  const { bag, table } = bagOf(runtime, "sum");
  await runtime.step(async () => {
    const part = { parameter: "table", slices: Uint32Array.of(4, 9), values: runtime.scratch([2, DIM]) };
    part.values.data.fill(1);
    for (const [bad, code] of [
      [{ ...part, parameter: "core.0" }, "E_OPTION"],
      [{ ...part, slices: Uint32Array.of(4, 9, 11) }, "E_SHAPE"],
      [{ ...part, slices: Uint32Array.of(4, ROWS) }, "E_SHAPE"],
    ] as const) {
      await t.throwsAsync(bag.apply({ parts: [part, bad], sumOfSquares: 1 }, { kind: "sgd", learningRate: 1 }), { code });
    }
  });
  t.deepEqual((await bag.toDense()).data, table);
});

test("bad extents are refused", async (t) => {
  const runtime = await Runtime.create();
  for (const numEmbeddings of [0, 1.5, 2 ** 32]) {
    t.throws(() => new DenseEmbeddingBag(runtime, { numEmbeddings, embeddingDim: 4 }), { code: "E_SHAPE" });
  }
  t.throws(() => new DenseEmbeddingBag(runtime, { numEmbeddings: 4, embeddingDim: 0 }), { code: "E_SHAPE" });
});

test("ids beyond the 24 bits of a float32 are exact", async (t) => {
  const runtime = await Runtime.create();
  const bag = new DenseEmbeddingBag(runtime, {
    numEmbeddings: 100_000_000,
    embeddingDim: 1,
    initialize: (rows) => rows.set([7], 99_999_999),
  });
  await runtime.step(async () => {
    const out = await bag.forward(bag.plan({ indices: Uint32Array.of(99_999_999, 0) }, TRAINING));
    t.deepEqual([...out.data], [7, 0]);
  });
});
