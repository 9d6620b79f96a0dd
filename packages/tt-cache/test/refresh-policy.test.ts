import { createRng, Runtime, type UpdateRule } from "@tt-rec/tensor";
import { allClose, denseFromCores, poolRows, randomBags, scratchFrom } from "@tt-rec/testing";
import { TTEmbeddingBag } from "@tt-rec/tt-kernels";
import test from "ava";
import fc from "fast-check";
import { CachedTTEmbeddingBag } from "../src/index.ts";
import { RefreshSchedule } from "../src/refresh-schedule.ts";
import { normals, overlayTable, partsOf, randomCores, SHAPES } from "./overlay-oracle.ts";

const TRAINING = { training: true };
const SGD: UpdateRule = { kind: "sgd", learningRate: 0.5 };

/** Ids of each step, and what the cache holds at its end: warm-up 2 steps, refresh every 3, room for 2 rows. */
const TRACE: readonly { ids: number[]; cached: number[]; hits: number; evictions: number }[] = [
  { ids: [5, 5, 1], cached: [], hits: 0, evictions: 0 },
  { ids: [1, 7, 5], cached: [5, 1], hits: 0, evictions: 0 },
  { ids: [7, 7, 7], cached: [7, 5], hits: 0, evictions: 1 },
  { ids: [1, 1, 1], cached: [7, 5], hits: 0, evictions: 1 },
  { ids: [7, 5, 2, 7], cached: [7, 5], hits: 3, evictions: 1 },
  { ids: [9, 9], cached: [7, 1], hits: 0, evictions: 2 },
  { ids: [3, 3, 3, 3, 3], cached: [7, 1], hits: 0, evictions: 2 },
  { ids: [1, 3], cached: [7, 1], hits: 1, evictions: 2 },
  // Accesses now: 7, 1 and 3 six times each, 5 five times; the smaller ids win.
  { ids: [5], cached: [1, 3], hits: 0, evictions: 3 },
];

test("the cache fills at the end of warm-up and refreshes at later multiples of refreshEvery", (t) => {
  const due = (warmupSteps: number, refreshEvery: number): number[] => {
    const schedule = new RefreshSchedule({ warmupSteps, refreshEvery }, 7);
    let filled = false;
    return Array.from({ length: 99 }, (_, i) => i + 1).filter((step) => {
      const isDue = schedule.isDue(step, filled);
      filled ||= isDue;
      return isDue;
    });
  };
  t.deepEqual(due(2, 3).slice(0, 5), [2, 3, 6, 9, 12]);
  t.deepEqual(due(5, 4).slice(0, 3), [5, 8, 12]);
  t.deepEqual(due(4, 4).slice(0, 3), [4, 8, 12]);
  t.deepEqual(due(1, 100), [1]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }), (w, e) => {
      const steps = Array.from({ length: 99 }, (_, i) => i + 1);
      t.deepEqual(
        due(w, e),
        steps.filter((step) => step >= w && (step === w || step % e === 0)),
      );
    }),
  );
});

test("a schedule of no whole steps, and a cache of no rows or too many, are refused", async (t) => {
  const runtime = await Runtime.create();
  const [shape] = SHAPES;
  const options = { shape, cores: randomCores(shape, 1), cacheRows: 3, warmupSteps: 2, refreshEvery: 3 };
  for (const bad of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => new CachedTTEmbeddingBag(runtime, { ...options, warmupSteps: bad }), {
      code: "E_OPTION",
      message: /warmupSteps/,
    });
    t.throws(() => new CachedTTEmbeddingBag(runtime, { ...options, refreshEvery: bad }), {
      code: "E_OPTION",
      message: `refreshEvery = ${bad} is not a whole number of at least 1`,
    });
    t.throws(() => new CachedTTEmbeddingBag(runtime, { ...options, cacheRows: bad }), { code: "E_OPTION", message: /cacheRows/ });
  }
  t.throws(() => new CachedTTEmbeddingBag(runtime, { ...options, cacheRows: 77 }), {
    code: "E_OPTION",
    message: "cacheRows = 77 is not a whole number from 1 to the number of embeddings, 76",
  });
  t.notThrows(() => new CachedTTEmbeddingBag(runtime, { ...options, cacheRows: 76 }));
});

test("a trace worked out by hand: cached ids, hits, evictions and refreshes, step by step", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const [shape] = SHAPES;
  const bag = new CachedTTEmbeddingBag(runtime, {
    shape,
    cores: randomCores(shape, 1),
    cacheRows: 2,
    warmupSteps: 2,
    refreshEvery: 3,
    policy: "semi-dynamic",
  });
  let [hits, lookups, rates, refreshes] = [0, 0, 0, 0];
  let [distinctHits, distinctLookups] = [0, 0];
  let before: number[] = [];
  for (const [i, expected] of TRACE.entries()) {
    await runtime.step(async () => {
      const plan = bag.plan({ indices: Uint32Array.from(expected.ids) }, TRAINING);
      const gradient = runtime.scratch([plan.outputs, shape.embeddingDim]);
      await bag.step(plan, gradient, SGD);
    });
    hits += expected.hits;
    lookups += expected.ids.length;
    const distinct = [...new Set(expected.ids)];
    distinctLookups += distinct.length;
    distinctHits += distinct.filter((id) => before.includes(id)).length;
    before = expected.cached;
    rates += expected.hits / expected.ids.length;
    if ([2, 3, 6, 9].includes(i + 1)) refreshes++;
    t.deepEqual(partsOf(await bag.state(), shape).ids, expected.cached, `step ${i + 1}`);
    const { refreshMilliseconds, movingHitRate, bytes, ...metrics } = bag.metrics;
    t.deepEqual(metrics, {
      hitRate: expected.hits / expected.ids.length,
      hits,
      lookups,
      distinctHits,
      distinctLookups,
      cachedRows: expected.cached.length,
      refreshes,
      evictions: expected.evictions,
      loadedRows: 2 * refreshes,
    });
    allClose(t, [movingHitRate], [rates / (i + 1)], 1e-12);
    t.true(refreshMilliseconds >= 0 && (refreshes > 0 || refreshMilliseconds === 0));
  }
});

test("after 100 steps the moving hit rate forgets the past at 1 % a step", async (t) => {
  const runtime = await Runtime.create();
  const [shape] = SHAPES;
  const bag = new CachedTTEmbeddingBag(runtime, {
    shape,
    cores: randomCores(shape, 1),
    cacheRows: 1,
    warmupSteps: 1,
    refreshEvery: 1000,
    policy: "semi-dynamic",
  });
  const plan = (id: number): unknown => bag.plan({ indices: Uint32Array.of(id) }, TRAINING);
  await runtime.step(() => bag.step(bag.plan({ indices: Uint32Array.of(4) }, TRAINING), runtime.scratch([1, 15]), SGD));
  for (let i = 0; i < 99; i++) plan(4);
  allClose(t, [bag.metrics.movingHitRate], [0.99], 1e-12);
  for (let i = 0; i < 50; i++) plan(5);
  allClose(t, [bag.metrics.movingHitRate], [0.99 * 0.99 ** 50], 1e-12);
  plan(4);
  t.is(bag.metrics.hitRate, 1);
  bag.plan({ indices: new Uint32Array(0) }, TRAINING);
  t.is(bag.metrics.hitRate, 0);
});

test("a refresh loads every cached row anew from the cores, drops what it had learned, and its Adagrad state", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const [, shape] = SHAPES;
  const dim = shape.embeddingDim;
  const cores = randomCores(shape, 2);
  const rule: UpdateRule = { kind: "adagrad", learningRate: 0.25 };
  const bag = new CachedTTEmbeddingBag(runtime, {
    shape,
    cores,
    cacheRows: 2,
    warmupSteps: 1,
    refreshEvery: 4,
    policy: "semi-dynamic",
  });
  const step = (...ids: number[]): Promise<void> =>
    runtime.step(() => {
      const gradient = scratchFrom(runtime, [ids.length, dim], new Float32Array(ids.length * dim).fill(2));
      return bag.step(bag.plan({ indices: Uint32Array.from(ids) }, TRAINING), gradient, rule);
    });
  await step(7, 7, 100, 100, 3);
  const filled = partsOf(await bag.state(), shape);
  t.deepEqual(filled.ids, [7, 100]);
  const rowOf = (table: Float64Array, id: number): Float64Array => table.subarray(id * dim, (id + 1) * dim);
  const ttTable = (of: readonly Float32Array[]): Float64Array =>
    denseFromCores(of, shape.rowShape, shape.columnShape, shape.ranks);
  allClose(t, filled.rows, [...rowOf(ttTable(filled.cores), 7), ...rowOf(ttTable(filled.cores), 100)], 1e-5);

  // Adagrad under one gradient moves by rate/√1, then rate/√2.
  await step(7, 100);
  await step(7);
  const learned = partsOf(await bag.state(), shape);
  t.deepEqual(learned.cores, filled.cores);
  allClose(
    t,
    learned.rows,
    filled.rows.map((value, i) => value - 0.25 - (i < dim ? 0.25 / Math.SQRT2 : 0)),
    1e-6,
  );
  t.deepEqual((await bag.state()).get("adagrad.cache.rows")?.data.subarray(dim - 1, dim + 1), Float32Array.of(8, 4));

  // Row 7 stays in the cache and loses what it learned; row 11 takes the slot of row 100.
  await step(11, 11, 11);
  const refreshed = partsOf(await bag.state(), shape);
  t.deepEqual(refreshed.ids, [7, 11]);
  t.notDeepEqual(refreshed.cores, filled.cores);
  const now = ttTable(refreshed.cores);
  allClose(t, refreshed.rows, [...rowOf(now, 7), ...rowOf(now, 11)], 1e-5);
  t.true((await bag.state()).get("adagrad.cache.rows")?.data.every((value) => value === 0));
  await step(7);
  allClose(
    t,
    partsOf(await bag.state(), shape).rows,
    refreshed.rows.map((value, i) => value - (i < dim ? 0.25 : 0)),
    1e-6,
  );
});

test("over a drifting trace no slot ever serves another row: every output agrees with a model made of Maps", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const steps = process.env.TT_REC_LONG ? 400 : 60;
  for (const [which, shape] of SHAPES.entries()) {
    const dim = shape.embeddingDim;
    const cores = randomCores(shape, which).map((core) => core.map((value) => value / 2));
    const rng = createRng(50 + which);
    const schedule = { warmupSteps: 3, refreshEvery: 2, policy: "semi-dynamic" } as const;
    const bag = new CachedTTEmbeddingBag(runtime, { shape, cores, cacheRows: 7, ...schedule });
    // The cores must be what a plain bag makes of the TT positions alone.
    const plain = new TTEmbeddingBag(runtime, { shape, cores });
    const accesses = new Map<number, number>();
    let cached = new Map<number, Float64Array>();
    let served = 0;
    for (let step = 1; step <= steps; step++) {
      const drift = Math.floor((step / steps) * shape.numEmbeddings);
      const drawn = randomBags(rng.uniform, { numEmbeddings: 29, batchSize: 11, maxPooling: 4, skew: 2 });
      const bags = { ...drawn, indices: drawn.indices.map((id) => (id + drift) % shape.numEmbeddings) };
      const table = async (): Promise<Float64Array> =>
        overlayTable(
          shape,
          partsOf(await plain.state(), shape).cores,
          [...cached.keys()],
          [...cached.values()].flatMap((row) => [...row]),
        );
      await runtime.step(async () => {
        const plan = bag.plan(bags, TRAINING);
        const out = await bag.forward(plan);
        allClose(t, out.data, poolRows(await table(), dim, bags, "sum"), 1e-5);
        const gradient = scratchFrom(
          runtime,
          out.shape,
          normals(rng, out.size).map((value) => value / 4),
        );
        await bag.step(plan, gradient, { kind: "sgd", learningRate: 0.01 });
        const onCores = bags.weights.map((weight, p) => (cached.has(bags.indices[p]) ? 0 : weight));
        await plain.step(plain.plan({ ...bags, weights: onCores }, TRAINING), gradient, { kind: "sgd", learningRate: 0.01 });
        for (let b = 0; b < plan.outputs; b++) {
          for (let p = bags.offsets[b]; p < bags.offsets[b + 1]; p++) {
            const row = cached.get(bags.indices[p]);
            if (row !== undefined) served++;
            for (let j = 0; j < dim; j++) if (row) row[j] -= 0.01 * bags.weights[p] * gradient.data[b * dim + j];
          }
        }
      });
      for (const id of bags.indices) accesses.set(id, (accesses.get(id) ?? 0) + 1);
      if (step === 3 || (step > 3 && step % 2 === 0)) {
        const top = [...accesses].sort(([a, m], [b, n]) => n - m || a - b).slice(0, 7);
        cached = new Map();
        const now = await table();
        cached = new Map(top.map(([id]) => [id, now.slice(id * dim, (id + 1) * dim)]));
      }
    }
    t.deepEqual(partsOf(await bag.state(), shape).ids, [...cached.keys()]);
    allClose(
      t,
      (await bag.toDense()).data,
      overlayTable(
        shape,
        partsOf(await plain.state(), shape).cores,
        [...cached.keys()],
        [...cached.values()].flatMap((row) => [...row]),
      ),
      1e-5,
    );
    t.is(bag.metrics.hits, served);
    t.true(bag.metrics.evictions > 10, `${bag.metrics.evictions} evictions`);
  }
});
