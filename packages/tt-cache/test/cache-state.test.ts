import { createRng, type HostTensor, Runtime, type UpdateRule } from "@tt-rec/tensor";
import { allClose, copyState, randomBags, scratchFrom } from "@tt-rec/testing";
import type { TTShape } from "@tt-rec/tt-math";
import test from "ava";
import { CachedTTEmbeddingBag, type CachedTTEmbeddingBagOptions } from "../src/index.ts";
import { normals, randomCores, SHAPES } from "./overlay-oracle.ts";

const RUNS = process.env.TT_REC_LONG ? 23 : 9;
const RULES: readonly UpdateRule[] = [
  { kind: "adagrad", learningRate: 0.05 },
  { kind: "sgd", learningRate: 0.01 },
];

type CacheOptions = Pick<CachedTTEmbeddingBagOptions, "policy" | "warmupSteps" | "refreshEvery">;

const SCHEDULE: CacheOptions = { warmupSteps: 3, refreshEvery: 4 };

function bagOf(runtime: Runtime, shape: TTShape, seed: number, options = SCHEDULE): CachedTTEmbeddingBag {
  const cores = randomCores(shape, seed).map((core) => core.map((value) => value / 2));
  return new CachedTTEmbeddingBag(runtime, { shape, cores, cacheRows: 7, ...options });
}

/** Trains the steps [begin, end) of a run that depends on the step number only; returns the outputs. */
async function train(
  runtime: Runtime,
  bag: CachedTTEmbeddingBag,
  rule: UpdateRule,
  begin: number,
  end: number,
): Promise<number[]> {
  const outputs: number[] = [];
  for (let step = begin; step < end; step++) {
    const rng = createRng(77, step);
    const bags = randomBags(rng.uniform, { numEmbeddings: bag.numEmbeddings, batchSize: 11, maxPooling: 4, skew: 3 });
    await runtime.step(async () => {
      const plan = bag.plan(bags, { training: true });
      const out = await bag.forward(plan);
      outputs.push(...out.data);
      await bag.step(plan, scratchFrom(runtime, out.shape, normals(rng, out.size)), rule);
    });
  }
  return outputs;
}

test("a resumed run is bit for bit the uninterrupted one, wherever it stopped: weights, Adagrad, counters, step", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const end = 24;
  // A waiting cache with candidates, counts that age, and exact counts are among them.
  const settings: readonly CacheOptions[] = [SCHEDULE, {}, { policy: "static" }, { ...SCHEDULE, policy: "semi-dynamic" }];
  for (const [s, options] of settings.entries()) {
    const [rule, shape] = [RULES[s % 2], SHAPES[1 + (s % 2)]];
    const whole = bagOf(runtime, shape, 1, options);
    const expected = await train(runtime, whole, rule, 0, end);
    for (let stop = 1; stop <= RUNS; stop++) {
      const first = bagOf(runtime, shape, 1, options);
      const outputs = await train(runtime, first, rule, 0, stop);
      const saved = copyState(await first.state());
      // Other cores, and rows in the cache already: all of it must give way.
      const second = bagOf(runtime, shape, 2, options);
      await train(runtime, second, RULES[1 - (s % 2)], 5, 9);
      await second.load(saved);
      t.deepEqual(await second.state(), saved);
      t.is(second.bytes, first.bytes);
      outputs.push(...(await train(runtime, second, rule, stop, end)));
      t.deepEqual(outputs, expected);
      t.deepEqual(await second.state(), await whole.state());
    }
  }
});

test("plans made before a load are good for the rows that are loaded", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const bag = bagOf(runtime, SHAPES[0], 1);
  const plan = bag.plan({ indices: Uint32Array.from({ length: 76 }, (_, id) => id) }, { training: false });
  const other = bagOf(runtime, SHAPES[0], 2);
  await train(runtime, other, RULES[0], 0, 7);
  await bag.load(copyState(await other.state()));
  const table = await bag.toDense();
  await runtime.step(async () => allClose(t, (await bag.forward(plan)).data, table.data, 1e-5));
});

test("a damaged state is refused whole: E_MISMATCH, and nothing is written", async (t) => {
  const runtime = await Runtime.create();
  const shape = SHAPES[0];
  const bag = bagOf(runtime, shape, 1);
  await train(runtime, bag, RULES[0], 0, 5);
  const good = copyState(await bag.state());
  await train(runtime, bag, RULES[0], 5, 7);
  const before = copyState(await bag.state());
  const plan = bag.plan({ indices: Uint32Array.of(1) }, { training: false });
  const vector = (...values: number[]): HostTensor => ({ dtype: "U32", shape: [values.length], data: Uint32Array.from(values) });
  const floats = (...dims: number[]): HostTensor => ({
    dtype: "F32",
    shape: dims,
    data: new Float32Array(dims.reduce((a, b) => a * b, 1)),
  });
  t.deepEqual(
    [...good.keys()].sort(),
    [
      ...["adagrad.core.0", "adagrad.core.1", "cache.ids", "adagrad.cache.rows", "cache.rows", "cache.step"],
      ...[
        "counter.slots",
        "counter.candidates",
        "counter.schedule",
        "core.0",
        "core.1",
        "counter.counts",
        "counter.ids",
        "counter.total",
      ],
    ].sort(),
  );
  const short = (name: string): HostTensor => ({ ...(good.get(name) as HostTensor), data: new Float32Array(3) });
  const damages: [string, HostTensor | undefined, RegExp][] = [
    ["core.1", undefined, /no tensor "core\.1"/],
    ["cache.rows", undefined, /no tensor "cache\.rows"/],
    ["cache.ids", undefined, /no tensor "cache\.ids"/],
    ["cache.step", undefined, /no tensor "cache\.step"/],
    ["counter.ids", undefined, /no tensor "counter\.ids"/],
    ["counter.counts", undefined, /no tensor "counter\.counts"/],
    ["core.2", floats(1), /unknown tensor "core\.2"/],
    ["cache.other", vector(1), /unknown tensor "cache\.other"/],
    ["cache.rows.other", floats(7, 15), /cache\.rows\.other/],
    ["core.0", floats(11, 1, 3, 13), /core\.0/],
    ["core.0", short("core.0"), /"core\.0" has 3 elements/],
    ["adagrad.core.1", floats(1), /adagrad\.core\.1/],
    ["cache.rows", floats(6, 15), /"cache\.rows" is F32 \[6,15\], F32 \[7,15\] was expected/],
    ["cache.rows", short("cache.rows"), /"cache\.rows" has 3 elements, \[7,15\] needs 105/],
    ["adagrad.cache.rows", floats(105), /adagrad\.cache\.rows/],
    ["cache.rows", { dtype: "F64", shape: [7, 15], data: new Float64Array(105) }, /F64/],
    ["cache.ids", vector(0, 1, 2, 3, 4, 5, 6, 7), /8 cached rows, the cache 7/],
    ["cache.ids", vector(0, 1, 76), /cache\.ids\[2\] = 76 is not below the number of embeddings, 76/],
    ["cache.ids", vector(0, 1, 0), /cache\.ids holds an id twice/],
    ["cache.ids", floats(2), /F32, U32 was expected/],
    ["cache.ids", { ...vector(1, 2), shape: [3] }, /"cache\.ids" is \[3\] with 2 elements/],
    ["counter.slots", vector(1), /7 slots and the accesses of 1/],
    ["cache.entering", vector(1, 2, 3), /cache\.entering has 3 elements, not pairs/],
    ["cache.entering", vector(1, 76, 2, 3), /cache\.entering\[1\] = 76/],
    ["cache.entering", vector(1, 2, 2, 7), /cache\.entering\[3\] = 7 is not below the cache's rows, 7/],
    ["cache.entering", vector(1, 2, 3, 3), /cache\.entering holds a slot twice/],
    ["cache.entering", vector(1, 1, 3, 2), /cache\.entering holds an id twice/],
    ["cache.step", vector(1, 2), /cache\.step has 2 elements/],
    ["cache.step", vector(), /cache\.step has 0 elements/],
    ["counter.schedule", undefined, /no tensor "counter\.schedule"/],
    ["counter.schedule", vector(1, 2, 3), /counter\.schedule has 3 elements, 6/],
    ["counter.candidates", undefined, /no tensor "counter\.candidates"/],
    ["counter.candidates", vector(76), /counter\.candidates\[0\] = 76/],
    ["counter.counts", vector(1), /counter\.counts has 1 elements, the counter 32 places/],
    ["counter.total", undefined, /no number "counter\.total"/],
    ["counter.total", vector(3), /no number "counter\.total"/],
    ["counter.ids", repeat(good, 3), /counter\.ids holds an id twice/],
    ["counter.ids", repeat(good, 76, 1), /counter\.ids\[\d+\] = 76/],
    ["counter.ids", moved(good), /is in another id's set/],
  ];
  for (const [name, damage, message] of damages) {
    const state = new Map(good);
    if (damage === undefined) state.delete(name);
    else state.set(name, damage);
    await t.throwsAsync(bag.load(state), { code: "E_MISMATCH", message }, `${name} ${message}`);
    t.deepEqual(await bag.state(), before);
  }
  await t.throwsAsync(bag.load(new Map()), { code: "E_MISMATCH" });
  await runtime.step(() => t.notThrowsAsync(bag.forward(plan)));
  await bag.load(good);
  t.deepEqual(await bag.state(), good);
});

/** The counted ids with the first `count` of them replaced by one id; all of them if no count is given. */
function repeat(state: ReadonlyMap<string, HostTensor>, id: number, count = Number.POSITIVE_INFINITY): HostTensor {
  const ids = state.get("counter.ids") as HostTensor<"U32">;
  return { ...ids, data: ids.data.map((value, i) => (i < count ? id : value)) };
}

/** The counted ids in the opposite order. */
function moved(state: ReadonlyMap<string, HostTensor>): HostTensor {
  const ids = state.get("counter.ids") as HostTensor<"U32">;
  return { ...ids, data: ids.data.slice().reverse() };
}
