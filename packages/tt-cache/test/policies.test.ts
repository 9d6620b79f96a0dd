import { createRng, Runtime, type UpdateRule } from "@tt-rec/tensor";
import { allClose, denseFromCores, fbttPolicy, scratchFrom } from "@tt-rec/testing";
import test from "ava";
import { AccessCounter, CachedTTEmbeddingBag, type CachePolicy, type CachePolicyName, simulateCache } from "../src/index.ts";
import { cachedBy } from "./cached-by.ts";
import { partsOf, randomCores, SHAPES } from "./overlay-oracle.ts";

const TRAINING = { training: true };
const FBTT: CachePolicy = fbttPolicy(() => new AccessCounter());
const RULE: UpdateRule = { kind: "adagrad", learningRate: 0.25 };

/** The drift that tells the policies apart: 8 and 6 first, then 4 time and again, twice between two refreshes. */
const DRIFT = [[8, 8, 8, 6, 6, 6], [4, 4], [], [4, 4], [], [4, 4], [], [9]];

test("fbtt on a trace worked out by hand: what was not chosen starts again at nothing, so 4 never gets in", async (t) => {
  // 8 and 6 keep their three accesses; 4 comes to two at every refresh, and loses them.
  t.deepEqual(await cachedBy(FBTT, DRIFT), new Array(8).fill([6, 8]));
  // With four accesses between two refreshes it does.
  t.deepEqual((await cachedBy(FBTT, [...DRIFT, [4, 4], [4, 4]])).at(-1), [4, 6]);
});

test("semi-dynamic on the same trace: 4 is chosen once its accesses since the beginning are more", async (t) => {
  const expected = [
    [6, 8],
    [6, 8],
    [6, 8],
    [4, 6],
    [4, 6],
    [4, 6],
    [4, 6],
    [4, 6],
  ];
  t.deepEqual(await cachedBy("semi-dynamic", DRIFT), expected);
});

test("resident on the same trace: 4 must be ahead by more than chance, takes one place, and the other row keeps its slot", async (t) => {
  // Four accesses against three are half a standard deviation, six are one.
  t.deepEqual(await cachedBy("resident", DRIFT), [...new Array(5).fill([6, 8]), ...new Array(3).fill([6, 4])]);
});

test("static on the same trace: the first choice is the last", async (t) => {
  t.deepEqual(await cachedBy("static", DRIFT), new Array(8).fill([6, 8]));
});

test("of equally accessed rows those that are held stay", async (t) => {
  const steps = [[9, 9, 7], [5], [], [3]];
  t.deepEqual(await cachedBy("resident", steps), [
    [9, 7],
    [9, 7],
    [9, 7],
    [9, 7],
  ]);
  // The paper's policy goes by the smaller id.
  t.deepEqual((await cachedBy("semi-dynamic", steps)).at(-1), [9, 3]);
});

test("static takes accesses that were given, and keeps those rows", async (t) => {
  const runtime = await Runtime.create();
  const [shape] = SHAPES;
  const accessCounts = new Uint32Array(shape.numEmbeddings);
  accessCounts.set([3, 0, 9, 5], 40);
  const options = { shape, cores: randomCores(shape, 1), cacheRows: 2, policy: "static", warmupSteps: 1 } as const;
  const bag = new CachedTTEmbeddingBag(runtime, { ...options, accessCounts });
  for (let step = 0; step < 30; step++) {
    await runtime.step(() => bag.step(bag.plan({ indices: Uint32Array.of(1, 1) }, TRAINING), runtime.scratch([2, 15]), RULE));
    t.deepEqual(partsOf(await bag.state(), shape).ids, [42, 43]);
  }
  t.is(bag.metrics.evictions, 0);
  t.throws(() => new CachedTTEmbeddingBag(runtime, { ...options, accessCounts: [1, 2] }), {
    code: "E_OPTION",
    message: "accessCounts has 2 elements, the table 76 rows",
  });
});

test("what a refresh loses: under fbtt and semi-dynamic all that rows have learned, under resident only that of rows that leave", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const [, shape] = SHAPES;
  const dim = shape.embeddingDim;
  const cases: [CachePolicyName | CachePolicy, boolean][] = [
    [FBTT, true],
    ["semi-dynamic", true],
    ["resident", false],
    ["static", false],
  ];
  for (const [policy, loses] of cases) {
    const options = { shape, cores: randomCores(shape, 2), cacheRows: 2, warmupSteps: 1, refreshEvery: 3, policy };
    const bag = new CachedTTEmbeddingBag(runtime, options);
    const step = (...ids: number[]): Promise<void> =>
      runtime.step(() => {
        const gradient = scratchFrom(runtime, [ids.length, dim], new Float32Array(ids.length * dim).fill(2));
        return bag.step(bag.plan({ indices: Uint32Array.from(ids) }, TRAINING), gradient, RULE);
      });
    await step(7, 7, 100, 100);
    const filled = partsOf(await bag.state(), shape);
    await step(7, 100);
    // Both rows are chosen again; the cores have not changed since the fill.
    await step();
    const refreshed = partsOf(await bag.state(), shape);
    t.deepEqual(refreshed.ids, filled.ids);
    const moved = loses ? 0 : -0.25;
    allClose(
      t,
      refreshed.rows,
      filled.rows.map((value) => value + moved),
      1e-5,
    );
    const accumulated = loses ? 0 : 4;
    t.true((await bag.state()).get("adagrad.cache.rows")?.data.every((value) => value === accumulated));
    t.is(bag.metrics.loadedRows, loses ? 4 : 2);
    const table = denseFromCores(refreshed.cores, shape.rowShape, shape.columnShape, shape.ranks);
    const fromCores = [7, 100].flatMap((id) => [...table.subarray(id * dim, (id + 1) * dim)]);
    if (loses) allClose(t, refreshed.rows, fromCores, 1e-5);
  }
});

test("a default cache fills at once; one whose policy cannot mend an early choice waits until the rows are stable", (t) => {
  const rng = createRng(3);
  const hot = Array.from({ length: 200 }, () => Uint32Array.from({ length: 64 }, () => Math.floor(rng.uniform() ** 4 * 5000)));
  const fillsAt = (policy: CachePolicyName): number => {
    let steps = 0;
    while (steps < hot.length && simulateCache(hot.slice(0, steps), { cacheRows: 50, policy }).refreshes === 0) steps++;
    return steps;
  };
  t.is(fillsAt("resident"), 1);
  const stable = fillsAt("static");
  t.true(stable > 1 && stable < 100, `${stable}`);
});

test("the automatic interval grows while rows stay, and shrinks again when they change", (t) => {
  const rng = createRng(4);
  // Ten rows for 400 steps, two accesses each, then ten others for as long.
  const trace = Array.from({ length: 800 }, (_, step) =>
    Uint32Array.from({ length: 2 }, () => Math.floor(rng.uniform() * 10) + (step < 400 ? 0 : 50)),
  );
  const refreshesUntil = (end: number): number => simulateCache(trace.slice(0, end), { cacheRows: 10 }).refreshes;
  // Ten steps apart at first, and forty in the end.
  t.is(refreshesUntil(400) - refreshesUntil(200), 5);
  t.true(refreshesUntil(600) - refreshesUntil(400) > 8);
});

test("a refresh that many misses ask for begins in the next steps, though the interval has grown to forty of them", (t) => {
  const rng = createRng(4);
  const trace = Array.from({ length: 460 }, (_, step) =>
    Uint32Array.from({ length: 2 }, () => Math.floor(rng.uniform() * 10) + (step < 420 ? 0 : 50)),
  );
  const refreshesUntil = (end: number): number => simulateCache(trace.slice(0, end), { cacheRows: 10 }).refreshes;
  const before = refreshesUntil(420);
  // One was due by time between these steps at the latest, and the next forty steps later.
  let steps = 0;
  while (refreshesUntil(420 + steps) === before) steps++;
  t.true(steps <= 8, `${steps} steps`);
});
