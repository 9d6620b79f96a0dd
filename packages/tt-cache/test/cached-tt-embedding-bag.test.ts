import { createRng, Runtime, type UpdateRule } from "@tt-rec/tensor";
import { allClose, finiteDifferences, poolRows, randomBags, scratchFrom, spreadSlices } from "@tt-rec/testing";
import type { Bags, Pooling } from "@tt-rec/tt-kernels";
import { parameterCount, type TTShape } from "@tt-rec/tt-math";
import test from "ava";
import { CachedTTEmbeddingBag } from "../src/index.ts";
import { normals, overlayTable, partsOf, randomCores, SHAPES } from "./overlay-oracle.ts";

const RUNS = process.env.TT_REC_LONG ? 12 : 1;
/** The cache fills after the first step of a run and refreshes after the fourth. */
const STEPS = 6;
const TRAINING = { training: true };
const EVALUATION = { training: false };
const SGD: UpdateRule = { kind: "sgd", learningRate: 1 / 4096 };
const POOLINGS = ["sum", "mean", "none"] as const satisfies readonly Pooling[];

function cachedBag(runtime: Runtime, shape: TTShape, seed: number, pooling: Pooling = "sum"): CachedTTEmbeddingBag {
  const cores = randomCores(shape, seed);
  return new CachedTTEmbeddingBag(runtime, { shape, cores, pooling, cacheRows: 5, warmupSteps: 1, refreshEvery: 4 });
}

/** Draws bags with empty ones, duplicates and hot small ids. */
function draw(uniform: () => number, { numEmbeddings }: TTShape): ReturnType<typeof randomBags> {
  return randomBags(uniform, { numEmbeddings, batchSize: 13, maxPooling: 5, skew: 3 });
}

async function train(runtime: Runtime, bag: CachedTTEmbeddingBag, bags: Bags, seed: number, rule = SGD): Promise<void> {
  await runtime.step(() => {
    const plan = bag.plan(bags, TRAINING);
    const values = normals(createRng(seed), plan.outputs * bag.embeddingDim);
    return bag.step(plan, scratchFrom(runtime, [plan.outputs, bag.embeddingDim], values), rule);
  });
}

/** Ids that are cached after one step of these, and some that are not. */
async function warmed(runtime: Runtime, shape: TTShape, hot: readonly number[]): Promise<CachedTTEmbeddingBag> {
  const bag = new CachedTTEmbeddingBag(runtime, {
    shape,
    cores: randomCores(shape, 1),
    cacheRows: hot.length,
    warmupSteps: 1,
    refreshEvery: 1000,
  });
  await train(runtime, bag, { indices: Uint32Array.from(hot) }, 1);
  return bag;
}

test("forward pools the overlaid table, for every depth and pooling, cold, filled, trained and refreshed", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  for (let run = 0; run < RUNS * SHAPES.length; run++) {
    const shape = SHAPES[run % SHAPES.length];
    for (const pooling of POOLINGS) {
      const rng = createRng(run);
      const bag = cachedBag(runtime, shape, run, pooling);
      let mixed = 0;
      for (let step = 0; step < STEPS; step++) {
        const bags = draw(rng.uniform, shape);
        const { cores, ids, rows } = partsOf(await bag.state(), shape);
        t.is(ids.length, step === 0 ? 0 : 5);
        const table = overlayTable(shape, cores, ids, rows);
        const dense = await bag.toDense();
        allClose(t, dense.data, table, 1e-5);
        for (const request of [bags, { indices: bags.indices, offsets: bags.offsets }, { indices: bags.indices }]) {
          await runtime.step(async () => {
            const out = await bag.forward(bag.plan(request, EVALUATION));
            allClose(t, out.data, poolRows(table, shape.embeddingDim, request, pooling), 1e-5);
            allClose(t, out.data, poolRows(dense.data, shape.embeddingDim, request, pooling), 1e-5);
          });
        }
        dense.dispose();
        if (bags.indices.some((id) => ids.includes(id)) && bags.indices.some((id) => !ids.includes(id))) mixed++;
        await train(runtime, bag, bags, step);
      }
      t.true(mixed >= STEPS - 2, `${mixed} batches had cached and TT rows`);
    }
  }
});

test("gradients of cores, cached rows and weights agree with finite differences of the overlaid definition", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  for (let seed = 0; seed < 3 * RUNS * SHAPES.length; seed++) {
    const shape = SHAPES[seed % SHAPES.length];
    const pooling = POOLINGS[seed % 3];
    const rng = createRng(300 + seed);
    const bag = cachedBag(runtime, shape, seed, pooling);
    for (let step = 0; step < 3; step++) await train(runtime, bag, draw(rng.uniform, shape), step);
    const { cores, ids, rows } = partsOf(await bag.state(), shape);
    const bags = draw(rng.uniform, shape);
    await runtime.step(async () => {
      const plan = bag.plan(bags, TRAINING);
      const gradient = scratchFrom(runtime, [plan.outputs, shape.embeddingDim], normals(rng, plan.outputs * shape.embeddingDim));
      const loss = (table: Float64Array, weights: ArrayLike<number>): number =>
        poolRows(table, shape.embeddingDim, { ...bags, weights }, pooling).reduce(
          (sum, value, i) => sum + value * gradient.data[i],
          0,
        );
      const gradients = await bag.backward(plan, gradient);
      let squares = 0;
      for (const { values } of gradients.parts) for (const value of values.data) squares += value * value;
      allClose(t, [gradients.sumOfSquares], [squares], 1e-12);
      for (const [k, core] of cores.entries()) {
        // A sample of the entries: each costs the definition of the whole table twice.
        const sample = [...new Set(Array.from({ length: 10 }, () => Math.floor(rng.uniform() * core.length)))];
        const expected = finiteDifferences(
          (x) => {
            const changed = Float64Array.from(core);
            for (const [i, entry] of sample.entries()) changed[entry] = x[i];
            return loss(overlayTable(shape, ([...cores] as ArrayLike<number>[]).with(k, changed), ids, rows), bags.weights);
          },
          Float64Array.from(sample, (entry) => core[entry]),
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
      const table = overlayTable(shape, cores, ids, rows);
      const byRow = finiteDifferences(
        (x) => {
          const changed = table.slice();
          for (const [slot, id] of ids.entries()) {
            const row = x.subarray(slot * shape.embeddingDim, (slot + 1) * shape.embeddingDim);
            changed.set(row, id * shape.embeddingDim);
          }
          return loss(changed, bags.weights);
        },
        Float64Array.from(rows),
        1e-2,
      );
      allClose(t, spreadSlices(gradients, "cache.rows", rows.length), byRow, 1e-5);
      t.true(byRow.some((value) => value !== 0));
      const byWeight = finiteDifferences((weights) => loss(table, weights), Float64Array.from(bags.weights), 1e-2);
      allClose(t, gradients.weights?.data ?? [], byWeight, 1e-5);
    });
  }
});

test("cached and TT rows learn apart: an update of one leaves the other's parameters bit for bit", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const shape = SHAPES[1];
  const bag = await warmed(runtime, shape, [2, 8, 13]);
  const before = partsOf(await bag.state(), shape);
  t.deepEqual(before.ids, [2, 8, 13]);
  await train(runtime, bag, { indices: Uint32Array.of(8, 2, 8) }, 5);
  const afterCached = partsOf(await bag.state(), shape);
  t.deepEqual(afterCached.cores, before.cores);
  const dim = shape.embeddingDim;
  t.deepEqual(afterCached.rows.subarray(2 * dim), before.rows.subarray(2 * dim));
  t.true(afterCached.rows.subarray(0, 2 * dim).every((value, i) => value !== before.rows[i]));
  await train(runtime, bag, { indices: Uint32Array.of(9, 3) }, 6);
  const afterTT = partsOf(await bag.state(), shape);
  t.deepEqual(afterTT.rows, afterCached.rows);
  t.notDeepEqual(afterTT.cores, afterCached.cores);
});

test("evaluation counts no access, and may come between forward and backward", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const shape = SHAPES[2];
  const [watched, quiet] = [await warmed(runtime, shape, [2, 8]), await warmed(runtime, shape, [2, 8])];
  const bags = {
    indices: Uint32Array.of(2, 17, 8, 2),
    offsets: Uint32Array.of(0, 1, 1, 4),
    weights: Float32Array.of(1, 2, 3, 4),
  };
  const other = { indices: Uint32Array.of(17, 17, 17, 2, 30) };
  const run = async (bag: CachedTTEmbeddingBag, evaluate: boolean): Promise<void> =>
    runtime.step(async () => {
      const plan = bag.plan(bags, TRAINING);
      const out = await bag.forward(plan);
      if (evaluate) for (let i = 0; i < 3; i++) await bag.forward(bag.plan(other, EVALUATION));
      await bag.apply(await bag.backward(plan, out), SGD);
    });
  await run(watched, true);
  await run(quiet, false);
  t.deepEqual(await watched.state(), await quiet.state());
  const { refreshMilliseconds: _, ...metrics } = watched.metrics;
  const { refreshMilliseconds: __, ...expected } = quiet.metrics;
  t.deepEqual(metrics, expected);
  const counted = await watched.state();
  const counts = new Map(
    [...(counted.get("counter.ids")?.data ?? [])].map((id, i) => [id, counted.get("counter.counts")?.data[i]]),
  );
  t.deepEqual(
    [2, 8, 17, 30].map((id) => counts.get(id)),
    [1, 1, 1, undefined],
  );
  t.deepEqual(counted.get("counter.slots")?.data, Uint32Array.of(2, 1));
});

test("a gradient older than a refresh is refused, and nothing is written; a plan is good for the rows that are cached now", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const shape = SHAPES[0];
  const bag = cachedBag(runtime, shape, 1);
  const bags = { indices: Uint32Array.of(3, 4, 60) };
  await runtime.step(async () => {
    const [first, second] = [bag.plan(bags, TRAINING), bag.plan(bags, TRAINING)];
    const gradient = scratchFrom(runtime, [3, 15], new Float32Array(45).fill(1));
    const [early, late] = [await bag.backward(first, gradient), await bag.backward(second, gradient)];
    const prepared = await bag.prepare(second, gradient);
    await bag.apply(early, SGD);
    const state = partsOf(await bag.state(), shape);
    t.deepEqual(state.ids, [3, 4, 60]);
    // No row of the cores is left to the batch.
    const anew = await bag.backward(second, gradient);
    t.deepEqual([...(anew.parts.find(({ parameter }) => parameter === "cache.rows")?.slices ?? [])], [0, 1, 2]);
    const rows = (await bag.forward(first)).data.slice();
    t.deepEqual([...rows], [...state.rows.subarray(0, 45)]);
    t.is(((await bag.state()).get("counter.total")?.data ?? [])[0], 6);
    t.deepEqual((await bag.state()).get("counter.slots")?.data, Uint32Array.of(0, 0, 0));
    await t.throwsAsync(bag.apply(late, SGD), { code: "E_STALE_PLAN" });
    await t.throwsAsync(prepared.apply(SGD), {
      code: "E_STALE_PLAN",
      message: "the cache has taken other rows since the gradients were computed, up to step 1; compute them again",
    });
    t.deepEqual(partsOf(await bag.state(), shape), state);
    await bag.step(second, gradient, SGD);
    t.deepEqual(partsOf(await bag.state(), shape).cores, state.cores);
  });
});

test("another bag's plan and gradients, bad rules and bad batches are refused, and nothing is written or counted", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const shape = SHAPES[0];
  const [bag, other] = [await warmed(runtime, shape, [3, 4]), await warmed(runtime, shape, [3, 4])];
  const before = structuredClone(await bag.state());
  const { metrics } = bag;
  await runtime.step(async () => {
    const gradient = scratchFrom(runtime, [2, 15], new Float32Array(30).fill(1));
    const foreign = other.plan({ indices: Uint32Array.of(3, 9) }, TRAINING);
    await t.throwsAsync(bag.forward(foreign), { code: "E_OPTION", message: /another embedding bag/ });
    await t.throwsAsync(bag.backward(foreign, gradient), { code: "E_OPTION" });
    const plan = bag.plan({ indices: Uint32Array.of(3, 9) }, EVALUATION);
    const gradients = await bag.backward(plan, gradient);
    for (const learningRate of [Number.NaN, -1]) {
      await t.throwsAsync(bag.step(plan, gradient, { kind: "sgd", learningRate }), { code: "E_OPTION" });
      await t.throwsAsync(bag.apply(gradients, { kind: "sgd", learningRate }), { code: "E_OPTION" });
    }
    await t.throwsAsync(bag.backward(plan, runtime.scratch([2, 14])), { code: "E_SHAPE" });
    // Each comes last, so that a check made part by part would write the parts before it.
    const [first] = gradients.parts;
    const tooMany = {
      ...first,
      parameter: "cache.rows",
      slices: Uint32Array.of(0, 1, 2),
      values: runtime.scratch([3, 15]),
    };
    for (const [bad, code] of [
      [{ ...first, parameter: "cache.rows.other" }, "E_OPTION"],
      [{ ...first, parameter: "core.5" }, "E_OPTION"],
      [{ ...first, parameter: "core.1" }, "E_SHAPE"],
      [{ ...first, parameter: "cache.rows" }, "E_SHAPE"],
      [tooMany, "E_SHAPE"],
    ] as const) {
      await t.throwsAsync(bag.apply({ ...gradients, parts: [...gradients.parts, bad] }, SGD), { code });
    }
  });
  t.throws(() => bag.plan({ indices: Uint32Array.of(3, 76) }, TRAINING), { code: "E_INDEX" });
  t.throws(() => bag.plan({ indices: Uint32Array.of(3), offsets: Uint32Array.of(0, 2) }, TRAINING), { code: "E_OFFSETS" });
  t.throws(() => bag.plan({ indices: Uint32Array.of(3), weights: Float32Array.of(Number.NaN) }, TRAINING), { code: "E_WEIGHTS" });
  await t.throwsAsync(bag.forward(bag.plan({ indices: Uint32Array.of(3) }, EVALUATION)), { code: "E_STEP" });
  t.deepEqual(await bag.state(), before);
  t.deepEqual(bag.metrics, metrics);
});

test("a batch without bags, bags without ids, and batches all cached or all TT are answered", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const shape = SHAPES[1];
  const dim = shape.embeddingDim;
  const bag = await warmed(runtime, shape, [2, 8]);
  const table = (await bag.toDense()).data.slice();
  const requests: Bags[] = [
    { indices: new Uint32Array(0) },
    { indices: new Uint32Array(0), offsets: Uint32Array.of(0) },
    { indices: new Uint32Array(0), offsets: Uint32Array.of(0, 0, 0), weights: new Float32Array(0) },
    { indices: Uint32Array.of(8, 2, 8), offsets: Uint32Array.of(0, 0, 2, 3, 3), weights: Float32Array.of(1, -2, 3) },
    { indices: Uint32Array.of(9, 3, 9), offsets: Uint32Array.of(0, 0, 2, 3, 3), weights: Float32Array.of(1, -2, 3) },
  ];
  for (const request of requests) {
    await runtime.step(async () => {
      const plan = bag.plan(request, TRAINING);
      const out = await bag.forward(plan);
      t.deepEqual([...out.shape], [plan.outputs, dim]);
      allClose(t, out.data, poolRows(table, dim, request, "sum"), 1e-5);
      const gradients = await bag.backward(plan, out);
      t.is(gradients.weights?.size, request.weights?.length);
      t.is(gradients.sumOfSquares > 0, request.indices.length > 0);
      await bag.apply(gradients, { kind: "adagrad", learningRate: 0 });
    });
  }
  t.deepEqual([...(await bag.toDense()).data], [...table]);
});

test("step equals backward and apply, bit for bit", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const shape = SHAPES[3];
  const [fused, unfused] = [cachedBag(runtime, shape, 4), cachedBag(runtime, shape, 4)];
  const rng = createRng(9);
  const rule: UpdateRule = { kind: "adagrad", learningRate: 0.1, scale: 0.5 };
  for (let step = 0; step < 9; step++) {
    const bags = draw(rng.uniform, shape);
    const values = normals(rng, 13 * shape.embeddingDim);
    await runtime.step(async () => {
      const gradient = scratchFrom(runtime, [13, shape.embeddingDim], values);
      await fused.step(fused.plan(bags, TRAINING), gradient, rule);
      const plan = unfused.plan(bags, TRAINING);
      await unfused.forward(plan);
      await unfused.apply(await unfused.backward(plan, gradient), rule);
    });
  }
  t.deepEqual(await fused.state(), await unfused.state());
});

test("bytes are those of cores, cached rows, optimizer state, map and counter", async (t) => {
  const runtime = await Runtime.create();
  const shape = SHAPES[0];
  const bag = cachedBag(runtime, shape, 1);
  const cores = 4 * parameterCount(shape);
  const rows = 4 * 5 * 15;
  // Pairs of the map, at most a quarter full, ids and accesses; ids and counts of four places a row, in sets of 8.
  const map = 4 * (2 * 32 + 5 + 5);
  const counter = 4 * (24 + 24);
  t.is(bag.bytes, cores + rows + map + counter);
  t.is(bag.metrics.bytes, rows + map + counter);
  const adagrad: UpdateRule = { kind: "adagrad", learningRate: 1 };
  await train(runtime, bag, { indices: Uint32Array.of(1, 2) }, 1, adagrad);
  // Nothing was cached yet, so nothing cached has learned.
  t.is(bag.bytes, 2 * cores + rows + map + counter);
  await train(runtime, bag, { indices: Uint32Array.of(1, 9) }, 1, adagrad);
  t.is(bag.bytes, 2 * cores + 2 * rows + map + counter);
  t.is(bag.metrics.bytes, 2 * rows + map + counter);
  bag.plan({ indices: Uint32Array.from({ length: 76 }, (_, i) => i) }, TRAINING);
  t.is(bag.metrics.bytes, 2 * rows + map + counter);
  bag.dispose();
  await t.throwsAsync(bag.toDense(), { code: "E_DISPOSED" });
});
