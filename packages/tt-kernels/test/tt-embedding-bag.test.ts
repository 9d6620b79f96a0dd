import { createRng, Runtime, type UpdateRule } from "@tt-rec/tensor";
import {
  allClose,
  copyState,
  denseFromCores,
  finiteDifferences,
  poolRows,
  randomBags,
  scratchFrom,
  spreadSlices,
} from "@tt-rec/testing";
import { createTTShape, parameterCount, type TTShape } from "@tt-rec/tt-math";
import test from "ava";
import fc from "fast-check";
import { type Bags, type Pooling, TTEmbeddingBag } from "../src/index.ts";
import { EXAMPLE, EXAMPLE_EXTENTS, EXAMPLE_GRADIENTS, toRowMajor } from "./integer-example.ts";

const RUNS = process.env.TT_REC_LONG ? 200 : 25;
const TRAINING = { training: true };
const BATCH: Bags = { indices: Uint32Array.of(0, 5, 11, 5, 7), offsets: Uint32Array.of(0, 2, 2, 5) };
const OUTPUT_GRADIENT = [1, -1, 2, 0, 3, 3, 3, 3, 0, 1, -2, 1];

/** Shapes of unequal primes, so that a swapped axis cannot go unnoticed; columns are no multiple of 4. */
const SHAPES: readonly TTShape[] = [
  createTTShape({ numEmbeddings: 76, embeddingDim: 15, rowShape: [7, 11], columnShape: [3, 5], ranks: [13] }),
  createTTShape({ numEmbeddings: 385, embeddingDim: 30, rowShape: [7, 11, 5], columnShape: [3, 2, 5], ranks: [5, 3] }),
  createTTShape({ numEmbeddings: 201, embeddingDim: 42, rowShape: [3, 7, 2, 5], columnShape: [2, 3, 1, 7], ranks: [2, 5, 3] }),
  createTTShape({
    numEmbeddings: 400,
    embeddingDim: 12,
    rowShape: [3, 2, 7, 2, 5],
    columnShape: [2, 1, 3, 1, 2],
    ranks: [3, 2, 5, 2],
  }),
  createTTShape({ numEmbeddings: 30, embeddingDim: 6, rowShape: [5, 2, 3], columnShape: [1, 3, 2], ranks: 1 }),
];

interface Scenario {
  readonly shape: TTShape;
  readonly cores: readonly Float32Array[];
  readonly bags: ReturnType<typeof randomBags>;
  readonly rng: ReturnType<typeof createRng>;
}

function scenario(shape: TTShape, seed: number): Scenario {
  const rng = createRng(seed);
  const sizes = shape.rowShape.map((p, k) => p * shape.ranks[k] * shape.columnShape[k] * shape.ranks[k + 1]);
  const cores = sizes.map((size) => Float32Array.from({ length: size }, () => rng.normal()));
  const bags = randomBags(rng.uniform, { numEmbeddings: shape.numEmbeddings, batchSize: 17, maxPooling: 6, skew: 2 });
  return { shape, cores, bags, rng };
}

async function coresOf(bag: TTEmbeddingBag): Promise<Float32Array[]> {
  const state = await bag.state();
  return bag.shape.rowShape.map((_, k) => Float32Array.from(state.get(`core.${k}`)?.data ?? []));
}

test("the integer example's table, pooled output and gradients are exact", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const bag = new TTEmbeddingBag(runtime, EXAMPLE);
  t.deepEqual([...(await bag.toDense()).data], EXAMPLE.rows.flat());
  const plan = bag.plan(BATCH, TRAINING);
  t.deepEqual([plan.outputs, plan.lookups, plan.uniqueRows], [3, 5, 4]);
  await runtime.step(async () => {
    t.deepEqual([...(await bag.forward(plan)).data], [-39, 84, -29, 44, 0, 0, 0, 0, 0, 42, -6, 57]);
    const gradients = await bag.backward(plan, scratchFrom(runtime, [3, 4], OUTPUT_GRADIENT));
    for (const [k, expected] of EXAMPLE_GRADIENTS.entries()) {
      const actual = spreadSlices(gradients, `core.${k}`, expected.length);
      t.deepEqual(actual, toRowMajor(expected, EXAMPLE_EXTENTS[k]));
    }
    t.is(gradients.sumOfSquares, 2579 + 2190 + 2649);
    t.is(gradients.weights, undefined);
  });
});

test("SGD on the integer example is exact", async (t) => {
  const runtime = await Runtime.create();
  const bag = new TTEmbeddingBag(runtime, EXAMPLE);
  await runtime.step(() =>
    bag.step(bag.plan(BATCH, TRAINING), scratchFrom(runtime, [3, 4], OUTPUT_GRADIENT), { kind: "sgd", learningRate: 0.5 }),
  );
  const [first, , last] = await coresOf(bag);
  t.deepEqual(first, toRowMajor([-12.5, 5.5, 0, 10.5, 9.5, 6.5, 10.5, 14.5], EXAMPLE_EXTENTS[0]));
  t.deepEqual(last, toRowMajor([-8, 5.5, 18.5, -10.5, -14.5, 1.5], EXAMPLE_EXTENTS[2]));
});

test("two Adagrad steps with one gradient give the known values", async (t) => {
  const runtime = await Runtime.create();
  const bag = new TTEmbeddingBag(runtime, EXAMPLE);
  const rule: UpdateRule = { kind: "adagrad", learningRate: 0.1, eps: 1e-10 };
  await runtime.step(async () => {
    const gradients = await bag.backward(bag.plan(BATCH, TRAINING), scratchFrom(runtime, [3, 4], OUTPUT_GRADIENT));
    await bag.apply(gradients, rule);
    allClose(t, (await coresOf(bag))[0], toRowMajor([-3.1, 1.1, -0.9, 3.1, 2.1, -0.9, -2.9, 1.1], EXAMPLE_EXTENTS[0]), 1e-6);
    await bag.apply(gradients, rule);
    const second = [-3.170711, 1.170711, -0.829289, 3.170711, 2.170711, -0.829289, -2.829289, 1.170711];
    allClose(t, (await coresOf(bag))[0], toRowMajor(second, EXAMPLE_EXTENTS[0]), 1e-6);
  });
});

test("forward agrees with pooling the dense table, for every depth and pooling, with and without weights", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  for (let seed = 0; seed < RUNS; seed++) {
    const { shape, cores, bags } = scenario(SHAPES[seed % SHAPES.length], seed);
    const table = denseFromCores(cores, shape.rowShape, shape.columnShape, shape.ranks);
    for (const pooling of ["sum", "mean", "none"] as const satisfies readonly Pooling[]) {
      const bag = new TTEmbeddingBag(runtime, { shape, cores, pooling });
      for (const request of [bags, { indices: bags.indices, offsets: bags.offsets }, { indices: bags.indices }]) {
        await runtime.step(async () => {
          const out = await bag.forward(bag.plan(request, TRAINING));
          allClose(t, out.data, poolRows(table, shape.embeddingDim, request, pooling), 1e-5);
        });
      }
    }
  }
});

test("gradients of cores and weights agree with finite differences of the definition", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  for (let seed = 0; seed < Math.min(RUNS, 4 * SHAPES.length); seed++) {
    const { shape, cores, bags, rng } = scenario(SHAPES[seed % SHAPES.length], 100 + seed);
    const pooling: Pooling = (["sum", "mean", "none"] as const)[seed % 3];
    const bag = new TTEmbeddingBag(runtime, { shape, cores, pooling });
    const plan = bag.plan(bags, TRAINING);
    const gradient = Float64Array.from({ length: plan.outputs * shape.embeddingDim }, () => Math.fround(rng.normal()));
    const tableOf = (all: readonly ArrayLike<number>[]): Float64Array =>
      denseFromCores(all, shape.rowShape, shape.columnShape, shape.ranks);
    const loss = (table: Float64Array, weights: ArrayLike<number>): number => {
      const out = poolRows(table, shape.embeddingDim, { ...bags, weights }, pooling);
      return out.reduce((sum, value, i) => sum + value * gradient[i], 0);
    };
    await runtime.step(async () => {
      const gradients = await bag.backward(plan, scratchFrom(runtime, [plan.outputs, shape.embeddingDim], gradient));
      for (const [k, core] of cores.entries()) {
        // A sample of the entries: each costs the definition of the whole table twice.
        const sample = [...new Set(Array.from({ length: 12 }, () => Math.floor(rng.uniform() * core.length)))];
        const changed = (x: Float64Array): Float64Array => {
          const copy = Float64Array.from(core);
          for (const [i, entry] of sample.entries()) copy[entry] = x[i];
          return copy;
        };
        const start = Float64Array.from(sample, (entry) => core[entry]);
        const expected = finiteDifferences(
          (x) => loss(tableOf(([...cores] as ArrayLike<number>[]).with(k, changed(x))), bags.weights),
          start,
          2 ** -7,
        );
        const actual = spreadSlices(gradients, `core.${k}`, core.length);
        allClose(
          t,
          sample.map((entry) => actual[entry]),
          expected,
          1e-5,
        );
      }
      const table = tableOf(cores);
      const expected = finiteDifferences((weights) => loss(table, weights), Float64Array.from(bags.weights), 1e-2);
      allClose(t, gradients.weights?.data ?? [], expected, 1e-5);
    });
  }
});

test("the adjoint identity ⟨forward(dG), g⟩ = ⟨dG, backward(g)⟩ holds for a change of the last core", async (t) => {
  const runtime = await Runtime.create();
  await fc.assert(
    fc.asyncProperty(fc.nat(1e6), fc.nat(SHAPES.length - 1), async (seed, which) => {
      const { shape, cores, bags, rng } = scenario(SHAPES[which], seed);
      const last = cores.length - 1;
      const change = cores[last].map(() => rng.normal());
      await runtime.step(async () => {
        const bag = new TTEmbeddingBag(runtime, { shape, cores });
        const moved = new TTEmbeddingBag(runtime, { shape, cores: cores.with(last, change) });
        const plan = bag.plan(bags, TRAINING);
        const gradient = scratchFrom(
          runtime,
          [plan.outputs, shape.embeddingDim],
          Float32Array.from({ length: plan.outputs * shape.embeddingDim }, rng.normal),
        );
        const out = await moved.forward(moved.plan(bags, TRAINING));
        const left = out.data.reduce((sum, value, i) => sum + value * gradient.data[i], 0);
        const slices = spreadSlices(await bag.backward(plan, gradient), `core.${last}`, cores[last].length);
        const right = slices.reduce((sum, value, i) => sum + value * change[i], 0);
        const scale = Math.sqrt(out.data.reduce((sum, value) => sum + value * value, 0)) + 1;
        t.true(Math.abs(left - right) < 1e-4 * scale * Math.sqrt(gradient.size + 1), `${left} and ${right}`);
      });
    }),
    { numRuns: RUNS },
  );
});

test("only slices that were looked up change, and rows beyond r·q·r' are updated like the others", async (t) => {
  // More slices than elements in a slice: the shape on which the reference's fused update skips rows.
  const shape = createTTShape({ numEmbeddings: 400, embeddingDim: 2, rowShape: [20, 20], columnShape: [1, 2], ranks: [2] });
  const runtime = await Runtime.create();
  const { cores } = scenario(shape, 3);
  const bag = new TTEmbeddingBag(runtime, { shape, cores });
  const indices = Uint32Array.of(19 * 20 + 17, 3 * 20 + 19);
  await runtime.step(() =>
    bag.step(bag.plan({ indices }, TRAINING), scratchFrom(runtime, [2, 2], [1, 1, 1, 1]), { kind: "sgd", learningRate: 1 }),
  );
  const after = await coresOf(bag);
  const changed = (k: number, slice: number): number[] =>
    Array.from({ length: shape.rowShape[k] }, (_, i) => i).filter((i) =>
      after[k].subarray(i * slice, (i + 1) * slice).some((value, j) => value !== cores[k][i * slice + j]),
    );
  t.deepEqual(changed(0, 2), [3, 19]);
  t.deepEqual(changed(1, 4), [17, 19]);
});

test("step equals backward and apply, bit for bit, and a second step sees the cores of the first", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const { shape, cores, bags, rng } = scenario(SHAPES[1], 5);
  const rule: UpdateRule = { kind: "adagrad", learningRate: 0.05 };
  const [fused, unfused] = [new TTEmbeddingBag(runtime, { shape, cores }), new TTEmbeddingBag(runtime, { shape, cores })];
  const [fusedPlan, unfusedPlan] = [fused.plan(bags, TRAINING), unfused.plan(bags, TRAINING)];
  const values = Float32Array.from({ length: fusedPlan.outputs * shape.embeddingDim }, rng.normal);
  await runtime.step(async () => {
    const gradient = scratchFrom(runtime, [fusedPlan.outputs, shape.embeddingDim], values);
    await fused.forward(fusedPlan);
    for (let i = 0; i < 3; i++) await fused.step(fusedPlan, gradient, rule);
  });
  for (let i = 0; i < 3; i++) {
    await runtime.step(async () => {
      const gradient = scratchFrom(runtime, [fusedPlan.outputs, shape.embeddingDim], values);
      await unfused.apply(await unfused.backward(unfusedPlan, gradient), rule);
    });
  }
  t.deepEqual(await fused.state(), await unfused.state());
});

test("a plan outlives its step: forward in one and backward in a later one give the gradients of a single step", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const bag = new TTEmbeddingBag(runtime, EXAMPLE);
  const plan = bag.plan(BATCH, TRAINING);
  await runtime.step(() => bag.forward(plan));
  await runtime.step(async () => {
    const gradients = await bag.backward(plan, scratchFrom(runtime, [3, 4], OUTPUT_GRADIENT));
    t.deepEqual(spreadSlices(gradients, "core.1", 36), toRowMajor(EXAMPLE_GRADIENTS[1], EXAMPLE_EXTENTS[1]));
    t.is(gradients.sumOfSquares, 2579 + 2190 + 2649);
  });
});

test("a batch without bags, and bags without ids, are answered and change nothing", async (t) => {
  const runtime = await Runtime.create();
  const bag = new TTEmbeddingBag(runtime, EXAMPLE);
  const requests: Bags[] = [
    { indices: new Uint32Array(0) },
    { indices: new Uint32Array(0), offsets: Uint32Array.of(0) },
    { indices: new Uint32Array(0), offsets: Uint32Array.of(0, 0, 0), weights: new Float32Array(0) },
  ];
  for (const request of requests) {
    await runtime.step(async () => {
      const plan = bag.plan(request, TRAINING);
      const out = await bag.forward(plan);
      t.deepEqual([...out.shape], [plan.outputs, 4]);
      t.true(out.data.every((value) => value === 0));
      const gradients = await bag.backward(plan, out);
      t.is(gradients.sumOfSquares, 0);
      await bag.apply(gradients, { kind: "adagrad", learningRate: 1 });
    });
  }
  t.deepEqual(await coresOf(bag), [...EXAMPLE.cores]);
});

test("misuse is refused by rule and leaves the cores alone", async (t) => {
  const runtime = await Runtime.create();
  const [bag, other] = [new TTEmbeddingBag(runtime, EXAMPLE), new TTEmbeddingBag(runtime, EXAMPLE)];
  t.throws(() => new TTEmbeddingBag(runtime, { ...EXAMPLE, cores: EXAMPLE.cores.slice(1) }), { code: "E_SHAPE" });
  t.throws(() => new TTEmbeddingBag(runtime, { ...EXAMPLE, cores: EXAMPLE.cores.with(1, new Float32Array(35)) }), {
    code: "E_SHAPE",
    message: "cores[1] has 35 elements, [3,2,2,3] needs 36",
  });
  const plan = bag.plan(BATCH, TRAINING);
  await t.throwsAsync(other.forward(plan), { code: "E_OPTION", message: /another embedding bag/ });
  await t.throwsAsync(bag.forward(plan), { code: "E_STEP" });
  await runtime.step(async () => {
    const gradient = scratchFrom(runtime, [3, 4], OUTPUT_GRADIENT);
    await t.throwsAsync(bag.backward(plan, runtime.scratch([3, 5])), { code: "E_SHAPE" });
    await t.throwsAsync(bag.step(plan, gradient, { kind: "sgd", learningRate: Number.NaN }), { code: "E_OPTION" });
    const gradients = await bag.backward(plan, gradient);
    await t.throwsAsync(
      bag.apply({ ...gradients, parts: [{ ...gradients.parts[0], parameter: "core.9" }] }, { kind: "sgd", learningRate: 1 }),
      {
        code: "E_OPTION",
      },
    );
  });
  t.deepEqual(await coresOf(bag), [...EXAMPLE.cores]);
});

test("state survives a round trip into a fresh bag, optimizer state included, and a foreign state is refused", async (t) => {
  const runtime = await Runtime.create();
  const rule: UpdateRule = { kind: "adagrad", learningRate: 0.1 };
  const trained = new TTEmbeddingBag(runtime, EXAMPLE);
  const update = (bag: TTEmbeddingBag): Promise<void> =>
    runtime.step(() => bag.step(bag.plan(BATCH, TRAINING), scratchFrom(runtime, [3, 4], OUTPUT_GRADIENT), rule));
  await update(trained);
  const saved = copyState(await trained.state());
  const fresh = new TTEmbeddingBag(runtime, EXAMPLE);
  await fresh.load(saved);
  t.is(fresh.bytes, trained.bytes);
  await update(trained);
  await update(fresh);
  t.deepEqual(await fresh.state(), await trained.state());
  for (const [name, broken] of [
    ["core.1", { dtype: "F32", shape: [36], data: new Float32Array(36) }],
    ["core.7", { dtype: "F32", shape: [1], data: new Float32Array(1) }],
    ["core.1", { dtype: "F32", shape: [3, 2, 2, 3], data: new Float32Array(35) }],
    ["adagrad.core.1", { dtype: "F32", shape: [3, 2, 2, 3], data: new Float32Array(37) }],
    ["core.1", { dtype: "F64", shape: [3, 2, 2, 3], data: new Float64Array(36) }],
  ] as const) {
    await t.throwsAsync(fresh.load(new Map([...saved, [name, broken]])), { code: "E_MISMATCH" });
  }
  t.deepEqual(await fresh.state(), await trained.state());
  saved.delete("core.2");
  await t.throwsAsync(fresh.load(saved), { code: "E_MISMATCH", message: /core\.2/ });
});

test("loading a state without optimizer state drops the old one, and products of older cores are not taken for today's", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const bag = new TTEmbeddingBag(runtime, EXAMPLE);
  const start = copyState(await bag.state());
  const plan = bag.plan(BATCH, TRAINING);
  await runtime.step(async () => {
    await bag.step(plan, scratchFrom(runtime, [3, 4], OUTPUT_GRADIENT), { kind: "adagrad", learningRate: 1 });
    t.not((await bag.forward(plan)).data[0], -39);
    await bag.load(start);
    t.is((await bag.forward(plan)).data[0], -39);
  });
  t.is(bag.bytes, 4 * parameterCount(EXAMPLE.shape));
  t.deepEqual(await bag.state(), start);
});

test("ids use all 32 bits: a table of 2^32 − 1 rows looks up, and updates the slices that its digits name", async (t) => {
  const rowShape = [1627, 1621, 1637];
  const shape = createTTShape({ numEmbeddings: 2 ** 32 - 1, embeddingDim: 6, rowShape, columnShape: [1, 3, 2], ranks: [1, 2] });
  const runtime = await Runtime.create({ poison: true });
  const rng = createRng(11);
  const cores = shape.rowShape.map((p, k) =>
    Float32Array.from({ length: p * shape.ranks[k] * shape.columnShape[k] * shape.ranks[k + 1] }, () => rng.normal()),
  );
  const bag = new TTEmbeddingBag(runtime, { shape, cores });
  const some = [0, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 2, ...Array.from({ length: 50 }, () => rng.uint32() - 1)];
  const indices = Uint32Array.from(some, (id) => Math.max(0, id));
  // Digits by integers of any length, which know neither signs nor rounding.
  const digits = (id: number): number[] => [
    Number(BigInt(id) / BigInt(1621 * 1637)),
    Number((BigInt(id) / 1637n) % 1621n),
    Number(BigInt(id) % 1637n),
  ];
  const rowOf = (id: number): Float64Array => {
    const slices = digits(id).map((digit, k) => {
      const size = cores[k].length / rowShape[k];
      return cores[k].subarray(digit * size, (digit + 1) * size);
    });
    return denseFromCores(slices, [1, 1, 1], shape.columnShape, shape.ranks);
  };
  await runtime.step(async () => {
    const plan = bag.plan({ indices }, TRAINING);
    t.is(plan.uniqueRows, new Set(indices).size);
    const out = await bag.forward(plan);
    allClose(
      t,
      out.data,
      Array.from(indices).flatMap((id) => [...rowOf(id)]),
      1e-6,
    );
    await bag.step(plan, out, { kind: "sgd", learningRate: 0.1 });
  });
  const after = await coresOf(bag);
  for (const [k, core] of cores.entries()) {
    const size = core.length / rowShape[k];
    const changed = new Set<number>();
    for (let i = 0; i < core.length; i++) if (after[k][i] !== core[i]) changed.add(Math.floor(i / size));
    t.deepEqual(
      [...changed],
      [...new Set(Array.from(indices, (id) => digits(id)[k]))].sort((a, b) => a - b),
    );
  }
  t.throws(() => bag.plan({ indices: Uint32Array.of(2 ** 32 - 1) }, TRAINING), { code: "E_INDEX" });
});

test("bytes are those of the cores, and twice that with Adagrad", async (t) => {
  const runtime = await Runtime.create();
  const bag = new TTEmbeddingBag(runtime, EXAMPLE);
  t.is(bag.bytes, 4 * parameterCount(EXAMPLE.shape));
  await runtime.step(() =>
    bag.step(bag.plan(BATCH, TRAINING), scratchFrom(runtime, [3, 4], OUTPUT_GRADIENT), { kind: "adagrad", learningRate: 1 }),
  );
  t.is(bag.bytes, 8 * parameterCount(EXAMPLE.shape));
  bag.dispose();
  await t.throwsAsync(bag.toDense(), { code: "E_DISPOSED" });
});
