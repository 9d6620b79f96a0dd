import { createRng, Runtime, type UpdateRule } from "@tt-rec/tensor";
import { allClose, denseFromCores, scratchFrom } from "@tt-rec/testing";
import test from "ava";
import fc from "fast-check";
import { AccessCounter, CachedTTEmbeddingBag, type CachePolicyName, simulateCache } from "../src/index.ts";
import { cachedBy } from "./cached-by.ts";
import { partsOf, randomCores, SHAPES } from "./overlay-oracle.ts";

const RUNS = process.env.TT_REC_LONG ? 500 : 30;
const TRAINING = { training: true };

test("halving rounds down, forgets ids without accesses, and keeps the order and the sum", (t) => {
  const counter = new AccessCounter();
  counter.observe(Uint32Array.of(5, 9, 5, 5, 7, 9, 9, 9, 2 ** 31));
  t.is(counter.total, 9);
  counter.halve();
  t.deepEqual([...counter.ids], [5, 9]);
  t.deepEqual([...counter.counts], [1, 2]);
  t.is(counter.total, 3);
  t.is(counter.count(7), 0);
  counter.halve();
  t.deepEqual([...counter.ids], [9]);
  counter.halve();
  t.is(counter.size, 0);
  t.is(counter.bytes, new AccessCounter().bytes);
});

test("the sum of counts is that of the counts, whatever is added and halved, and where counts stop", (t) => {
  fc.assert(
    fc.property(fc.array(fc.record({ id: fc.nat(20), count: fc.nat(9), halve: fc.boolean() })), (steps) => {
      const counter = new AccessCounter();
      for (const { id, count, halve } of steps) {
        counter.add(id, count);
        if (halve) counter.halve();
        t.is(
          counter.total,
          counter.counts.reduce((sum, each) => sum + each, 0),
        );
      }
    }),
    { numRuns: RUNS },
  );
  const counter = new AccessCounter();
  counter.add(3, 2 ** 32 - 1);
  counter.add(3, 5);
  t.is(counter.total, 2 ** 32 - 1);
});

test("a trace worked out by hand: rows keep their slots, and accesses of long ago make way", async (t) => {
  const many = (id: number, times: number): number[] => new Array(times).fill(id);
  const steps = [
    // Warm-up ends: 8 and 6 enter.
    [8, 8, 6],
    [],
    [],
    // 4 is now well ahead of 6; 8 keeps slot 0.
    [4, 4, 4, 4, 8],
    // 98 accesses in all, by a step without a refresh.
    [...many(4, 45), ...many(8, 45)],
    // Now they are 102, more than 50 a row, and after the rows are chosen all counts are halved: 8 and 4 have 24, 5 has 2.
    [5, 5, 5, 5],
    [],
    // 5 comes to 36, well past the halved 4 and 8; of these the larger id has to go.
    many(5, 34),
  ];
  t.deepEqual(await cachedBy("resident", steps), [
    [8, 6],
    [8, 6],
    [8, 6],
    [8, 4],
    [8, 4],
    [8, 4],
    [8, 4],
    [5, 4],
  ]);
  // The paper counts for ever: 4 and 8 have 49 and 48 accesses, 5 has 38.
  t.deepEqual((await cachedBy("semi-dynamic", steps)).at(-1), [4, 8]);
});

test("once accesses have moved, those of before weigh half: fewer new ones overtake them", async (t) => {
  const batch = (...parts: [id: number, times: number][]): number[] => parts.flatMap(([id, times]) => new Array(times).fill(id));
  const before = batch([8, 24], [6, 24]);
  // 8 and 6 answer all accesses until 4 comes. It is behind at the next refresh, which halves the 24 accesses of 6 to 12, and its own
  // 15 to 7: with 10 more it is well ahead at the one after that, where 25 against 24 were within chance.
  const steps = [before, [8, 8], [8, 8], batch([4, 15]), [], batch([4, 10])];
  t.deepEqual(await cachedBy("resident", steps), [...new Array(5).fill([6, 8]), [4, 8]]);
});

test("rows that stay keep what they learned and their optimizer state; rows that enter come from the cores, without one", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const [, shape] = SHAPES;
  const dim = shape.embeddingDim;
  const rule: UpdateRule = { kind: "adagrad", learningRate: 0.25 };
  const options = { shape, cores: randomCores(shape, 2), cacheRows: 2, warmupSteps: 1, refreshEvery: 2 };
  const bag = new CachedTTEmbeddingBag(runtime, { ...options, policy: "resident" });
  const step = (...ids: number[]): Promise<void> =>
    runtime.step(() => {
      const gradient = scratchFrom(runtime, [ids.length, dim], new Float32Array(ids.length * dim).fill(2));
      return bag.step(bag.plan({ indices: Uint32Array.from(ids) }, TRAINING), gradient, rule);
    });
  await step(7, 7, 100, 100, 3);
  const filled = partsOf(await bag.state(), shape);
  t.deepEqual(filled.ids, [7, 100]);
  // 100 learns by rate/√1 in the step that ends with the refresh; 11 takes the place of 7.
  await step(100, ...new Array(9).fill(11));
  const refreshed = partsOf(await bag.state(), shape);
  t.deepEqual(refreshed.ids, [11, 100]);
  const table = denseFromCores(refreshed.cores, shape.rowShape, shape.columnShape, shape.ranks);
  allClose(t, refreshed.rows.subarray(0, dim), table.subarray(11 * dim, 12 * dim), 1e-5);
  allClose(
    t,
    refreshed.rows.subarray(dim),
    filled.rows.subarray(dim).map((value) => value - 0.25),
    1e-6,
  );
  const accumulators = (await bag.state()).get("adagrad.cache.rows")?.data ?? [];
  t.deepEqual(
    [...accumulators],
    Array.from({ length: 2 * dim }, (_, i) => (i < dim ? 0 : 4)),
  );
  t.is(bag.metrics.evictions, 1);
});

test("over random steps every held row is either its old value or that of the cores, and none is held twice", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const [, , shape] = SHAPES;
  const dim = shape.embeddingDim;
  const options = { shape, cores: randomCores(shape, 5), cacheRows: 11, warmupSteps: 2, refreshEvery: 3 };
  const bag = new CachedTTEmbeddingBag(runtime, { ...options, policy: "resident" });
  const rng = createRng(6);
  let before = new Map<number, number[]>();
  for (let step = 1; step <= 60; step++) {
    const drift = step * 2;
    const indices = Uint32Array.from({ length: 40 }, () => Math.floor(drift + rng.uniform() ** 3 * 60) % shape.numEmbeddings);
    await runtime.step(async () => {
      const plan = bag.plan({ indices }, TRAINING);
      // No gradient, so that whatever changes a row is the refresh.
      await bag.step(plan, runtime.scratch([plan.outputs, dim]), { kind: "sgd", learningRate: 1 });
    });
    const { ids, rows, cores } = partsOf(await bag.state(), shape);
    t.is(new Set(ids).size, ids.length);
    const table = denseFromCores(cores, shape.rowShape, shape.columnShape, shape.ranks);
    const now = new Map(ids.map((id, slot) => [id, [...rows.subarray(slot * dim, (slot + 1) * dim)]]));
    for (const [id, row] of now) {
      const old = before.get(id);
      if (old !== undefined) t.deepEqual(row, old);
      else allClose(t, row, table.subarray(id * dim, (id + 1) * dim), 1e-5);
    }
    before = now;
  }
  t.true(bag.metrics.evictions > 20);
});

test("a simulated cache hits, evicts and refreshes as the bag does", async (t) => {
  const runtime = await Runtime.create();
  const [shape] = SHAPES;
  const schedules = [{ warmupSteps: 2, refreshEvery: 3 }, {}];
  for (const [policy, schedule] of [
    ...schedules.map((each) => ["semi-dynamic", each] as const),
    ...schedules.map((each) => ["resident", each] as const),
  ]) {
    const options = { cacheRows: 5, policy, ...schedule };
    const bag = new CachedTTEmbeddingBag(runtime, { shape, cores: randomCores(shape, 1), ...options });
    const rng = createRng(9);
    const trace = Array.from({ length: 90 }, (_, step) =>
      Uint32Array.from({ length: 20 }, () => Math.floor(step / 3 + rng.uniform() ** 3 * 40)),
    );
    let distinct = 0;
    for (const indices of trace) {
      await runtime.step(async () => {
        const plan = bag.plan({ indices }, TRAINING);
        distinct += plan.uniqueRows;
        await bag.step(plan, runtime.scratch([plan.outputs, shape.embeddingDim]), { kind: "sgd", learningRate: 1 });
      });
    }
    const { counterBytes, ...simulated } = simulateCache(trace, options);
    const { hits, lookups, distinctHits, distinctLookups, loadedRows, evictions, refreshes, bytes } = bag.metrics;
    t.deepEqual(simulated, { hits, lookups, distinctHits, distinctLookups, loadedRows, evictions, refreshes });
    t.true(counterBytes > 0 && counterBytes < bytes);
    t.true(hits > 100 && evictions > 3, `${policy}: ${hits} hits, ${evictions} evictions`);
    t.is(distinctLookups, distinct);
    t.true(distinctHits > 0 && distinctHits < hits);
  }
});

test("an unknown policy is refused", async (t) => {
  const [shape] = SHAPES;
  const options = { shape, cores: randomCores(shape, 1), cacheRows: 2, warmupSteps: 1, refreshEvery: 2 };
  t.throws(() => new CachedTTEmbeddingBag(undefined as unknown as Runtime, { ...options, policy: "lru" as CachePolicyName }), {
    code: "E_OPTION",
    message: 'the cache policy "lru" is not known; known are resident, semi-dynamic, static',
  });
});
