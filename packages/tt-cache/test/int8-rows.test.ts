import "@tt-rec/testing/relaxed-simd";
import { createRng, type Runtime, type UpdateRule } from "@tt-rec/tensor";
import { allClose, copyState, poolRows, randomBags, scratchFrom, spreadSlices, unpoolRows } from "@tt-rec/testing";
import { applyTogether, type Bags, forwardTogether, prepareTogether } from "@tt-rec/tt-kernels";
import { createTTShape, type TTShape } from "@tt-rec/tt-math";
import test from "ava";
import fc from "fast-check";
import { resolveCacheRows } from "../src/cache-size.ts";
import { CachedTTEmbeddingBag, type CachedTTEmbeddingBagOptions } from "../src/index.ts";
import { type Case, casesWith, drawBags, engines, OF_16, RULES, reference, TRAINING, trainStep } from "./cached-cases.ts";
import { normals, overlayTable, partsOf, randomCores, SHAPES } from "./overlay-oracle.ts";

const RUNS = process.env.TT_REC_LONG ? 300 : 10;
/** Adam besides, whose rows have two accumulators. */
const ALL_RULES: readonly UpdateRule[] = [...RULES, { kind: "adam", learningRate: 0.02, step: 2 }];
const CASES = casesWith(ALL_RULES);
const { runtime: one } = engines[0];

function bagOf(
  runtime: Runtime,
  { shape, seed, pooling, policy }: Pick<Case, "shape" | "seed" | "pooling" | "policy">,
  options: Partial<CachedTTEmbeddingBagOptions> = {},
): CachedTTEmbeddingBag {
  const cores = randomCores(shape, seed).map((core) => core.map((value) => value / 2));
  return new CachedTTEmbeddingBag(runtime, {
    ...{ shape, cores, pooling, policy, cacheRows: 11, warmupSteps: 2, refreshEvery: 3, rowStorage: "int8" },
    ...options,
  });
}

/** The parts of a state whose cached rows are floats again. */
async function floatParts(bag: CachedTTEmbeddingBag, shape: TTShape): ReturnType<typeof floatPartsOf> {
  return floatPartsOf(await bag.state(), shape);
}

async function floatPartsOf(
  state: Awaited<ReturnType<CachedTTEmbeddingBag["state"]>>,
  shape: TTShape,
): Promise<ReturnType<typeof partsOf>> {
  const parts = partsOf(state, shape);
  const scales = state.get("cache.rows.scale")?.data ?? [];
  return { ...parts, rows: parts.rows.map((byte, i) => byte * scales[Math.floor(i / shape.embeddingDim)]) };
}

test.serial("threads change no bit of what a bag with int8 rows gives and becomes, in any kind of update", async (t) => {
  await fc.assert(
    fc.asyncProperty(CASES, async (each) => {
      for (const build of ["simd", "relaxed"] as const) {
        const results = [];
        for (const { simd, runtime } of engines) {
          if (simd !== build) continue;
          const bag = bagOf(runtime, each);
          const outputs = [];
          for (let step = 0; step < 8; step++) outputs.push(await trainStep(runtime, bag, each, step));
          results.push({ outputs, state: copyState(await bag.state()) });
          bag.dispose();
        }
        t.is(results[0].state.get("cache.rows")?.dtype, "I8");
        t.is(results[0].state.get("cache.ids")?.data.length, 11);
        for (const result of results) t.deepEqual(result, results[0]);
      }
    }),
    { numRuns: RUNS },
  );
});

test.serial("step, prepare and apply give the same bits", async (t) => {
  for (const [i, rule] of ALL_RULES.entries()) {
    const states = [];
    for (const update of ["step", "prepare", "apply"] as const) {
      const each: Case = {
        ...{ shape: [...SHAPES, OF_16][i], seed: i, pooling: "sum", rule, policy: "resident", kind: "pooled" },
        update,
      };
      const bag = bagOf(one, each);
      for (let step = 0; step < 8; step++) await trainStep(one, bag, each, step);
      states.push(copyState(await bag.state()));
    }
    for (const state of states) t.deepEqual(state, states[0]);
  }
});

test.serial("the kernels give the bits of plain TypeScript where all sums are exact", async (t) => {
  // Small whole numbers, and a step length of which all products are exact. Cores stand still, lest they outgrow that.
  const still: UpdateRule = { kind: "sgd", learningRate: 0 };
  const moving: UpdateRule = { kind: "sgd", learningRate: 1 / 4 };
  for (const shape of [...SHAPES, OF_16]) {
    const whole = (rng: ReturnType<typeof createRng>): number => Math.floor(7 * rng.uniform()) - 3;
    const states = [];
    for (const runtime of [reference, ...engines.map((engine) => engine.runtime)]) {
      const cores = randomCores(shape, 1).map((core, k) => core.map((_, i) => whole(createRng(k, i))));
      const bag = new CachedTTEmbeddingBag(runtime, {
        ...{ shape, cores, cacheRows: 11, warmupSteps: 1, refreshEvery: 3, rowStorage: "int8", roundingSeed: 3 },
      });
      for (let step = 0; step < 8; step++) {
        const rng = createRng(2, step);
        const bags = randomBags(rng.uniform, { numEmbeddings: shape.numEmbeddings, batchSize: 17, maxPooling: 5, skew: 4 });
        const { indices, offsets } = bags;
        await runtime.step(async () => {
          const plan = bag.plan({ indices, offsets }, TRAINING);
          const gradient = scratchFrom(
            runtime,
            [17, shape.embeddingDim],
            Float32Array.from({ length: 17 * shape.embeddingDim }, () => whole(rng)),
          );
          await bag.apply(await bag.backward(plan, gradient), still, moving);
        });
      }
      states.push(copyState(await bag.state()));
      bag.dispose();
    }
    for (const state of states) t.deepEqual(state, states[0]);
  }
});

test.serial("forward, weights' gradients and toDense are those of the rows that the bytes stand for", async (t) => {
  for (const { runtime } of [engines[1], engines[4], { runtime: reference }]) {
    for (const [i, shape] of [SHAPES[1], SHAPES[3], OF_16].entries()) {
      for (const pooling of ["sum", "mean", "none"] as const) {
        const each: Case = { shape, seed: i, pooling, rule: RULES[1], policy: "resident", kind: "weighted", update: "prepare" };
        const bag = bagOf(runtime, each);
        const dim = shape.embeddingDim;
        for (let step = 0; step < 6; step++) {
          const { cores, ids, rows } = await floatParts(bag, shape);
          const table = overlayTable(shape, cores, ids, rows);
          const dense = await bag.toDense();
          allClose(t, dense.data, table, 1e-5);
          dense.dispose();
          const cachedOnly = {
            indices: Uint32Array.from({ length: 5 }, (_, p) => ids[p % 2] ?? p),
            offsets: Uint32Array.of(0, 2, 2, 5),
          };
          for (const bags of [drawBags(each, step), { ...cachedOnly, weights: Float32Array.of(1, -2, 3, 0.5, 2) }, cachedOnly]) {
            await runtime.step(async () => {
              const plan = bag.plan(bags, { training: false });
              const out = await bag.forward(plan);
              allClose(t, out.data, poolRows(table, dim, bags, pooling), 1e-5);
              const gradient = scratchFrom(runtime, out.shape, normals(createRng(step), out.size));
              const gradients = await bag.backward(plan, gradient);
              const { indices, offsets } = bags;
              const byWeight = unpoolRows(gradient.data, dim, { indices, ...(offsets && { offsets }) }, pooling);
              const ofWeights = [...indices].map((id, p) => {
                let sum = 0;
                for (let j = 0; j < dim; j++) sum += table[id * dim + j] * byWeight[p * dim + j];
                return sum;
              });
              if ("weights" in bags) allClose(t, gradients.weights?.data ?? [], ofWeights, 1e-5);
              const byPosition = unpoolRows(gradient.data, dim, bags, pooling);
              const expected = new Float64Array(11 * dim);
              for (const [p, id] of indices.entries()) {
                const slot = ids.indexOf(id);
                for (let j = 0; slot >= 0 && j < dim; j++) expected[slot * dim + j] += byPosition[p * dim + j];
              }
              allClose(t, spreadSlices(gradients, "cache.rows", 11 * dim), expected, 1e-5);
            });
          }
          await trainStep(runtime, bag, each, step);
        }
        bag.dispose();
      }
    }
  }
});

test.serial("bags with int8 rows in one pass with others give the bits that each gives alone", async (t) => {
  const each: Case = {
    ...{ shape: OF_16, seed: 4, pooling: "sum", rule: RULES[1], policy: "resident" },
    kind: "weighted",
    update: "prepare",
  };
  const cases: Case[] = [each, { ...each, shape: SHAPES[1] }, { ...each, shape: SHAPES[3], kind: "pooled" }];
  for (const runtime of [one, engines[1].runtime, reference]) {
    const [together, alone] = [1, 2].map(() =>
      cases.map((one, i) => bagOf(runtime, one, { rowStorage: i === 1 ? "float32" : "int8" })),
    );
    for (let step = 0; step < 8; step++) {
      await runtime.step(async () => {
        const plans = together.map((bag, i) => bag.plan(drawBags(cases[i], step), TRAINING));
        const outputs = await forwardTogether(runtime, together, plans);
        const steps = await prepareTogether(runtime, together, plans, outputs);
        await applyTogether(runtime, steps, RULES, RULES[2]);
        // In the opposite order.
        for (const [i, bag] of [...alone.entries()].reverse()) {
          const plan = bag.plan(drawBags(cases[i], step), TRAINING);
          const out = await bag.forward(plan);
          t.deepEqual(out.data, outputs[i].data);
          await (await bag.prepare(plan, out)).apply(RULES[i], RULES[2]);
        }
      });
    }
    for (const [i, bag] of alone.entries()) t.deepEqual(await bag.state(), await together[i].state());
  }
});

test.serial(
  "a run that stops, in the middle of a refresh or not, goes on bit for bit, whatever seed the new bag had",
  async (t) => {
    const shape = createTTShape({
      numEmbeddings: 2401,
      embeddingDim: 12,
      rowShape: [11, 13, 17],
      columnShape: [3, 2, 2],
      ranks: [3, 5],
    });
    const each: Case = { shape, seed: 3, pooling: "sum", rule: RULES[1], policy: "resident", kind: "pooled", update: "step" };
    const options = { cacheRows: 1201, warmupSteps: 2, refreshEvery: 4 };
    const wide = (step: number): Bags => {
      const { indices, offsets } = randomBags(createRng(8, step).uniform, { numEmbeddings: 1500, batchSize: 301, maxPooling: 6 });
      return { indices: indices.map((id) => (id + 60 * step) % 2401), offsets };
    };
    const train = async (bag: CachedTTEmbeddingBag, begin: number, end: number): Promise<void> => {
      for (let step = begin; step < end; step++) {
        await one.step(async () => {
          const gradient = scratchFrom(one, [301, 12], normals(createRng(9, step), 301 * 12));
          await bag.step(bag.plan(wide(step), TRAINING), gradient, each.rule);
        });
      }
    };
    const whole = bagOf(one, each, { ...options, roundingSeed: 7 });
    await train(whole, 0, 10);
    const expected = copyState(await whole.state());
    let underWay = 0;
    for (let stop = 1; stop < 9; stop++) {
      const first = bagOf(one, each, { ...options, roundingSeed: 7 });
      await train(first, 0, stop);
      const saved = copyState(await first.state());
      if (saved.has("cache.entering")) underWay++;
      const second = bagOf(one, { ...each, seed: 4 }, { ...options, roundingSeed: 8 });
      await train(second, 0, 3);
      await second.load(saved);
      t.deepEqual(copyState(await second.state()), saved);
      t.is(second.bytes, first.bytes);
      await train(second, stop, 10);
      t.deepEqual(copyState(await second.state()), expected);
    }
    t.true(underWay >= 2);
    const other = bagOf(one, each, { ...options, roundingSeed: 8 });
    await train(other, 0, 3);
    const same = bagOf(one, each, { ...options, roundingSeed: 7 });
    await train(same, 0, 3);
    t.notDeepEqual((await other.state()).get("cache.rows")?.data, (await same.state()).get("cache.rows")?.data);
  },
);

test.serial("what a row is rounded by follows from its id, not from its slot", async (t) => {
  const each: Case = {
    ...{ shape: OF_16, seed: 5, pooling: "sum", rule: RULES[1], policy: "static" },
    ...{ kind: "pooled", update: "step" },
  };
  const bag = bagOf(one, each);
  for (let step = 0; step < 4; step++) await trainStep(one, bag, each, step);
  const saved = copyState(await bag.state());
  const turned = new Map(saved);
  for (const [name, tensor] of saved) {
    // The last slot comes first.
    const slice = /^(cache\.(ids|rows.*)|counter\.slots|adagrad\.cache\.rows)$/.test(name) && tensor.data.length / 11;
    if (slice === false) continue;
    const data = tensor.data.slice();
    for (let slot = 0; slot < 11; slot++) data.set(tensor.data.subarray((10 - slot) * slice, (11 - slot) * slice), slot * slice);
    turned.set(name, { ...tensor, data });
  }
  const other = bagOf(one, each);
  await other.load(turned);
  t.notDeepEqual((await other.state()).get("cache.ids"), saved.get("cache.ids"));
  for (let step = 5; step < 8; step++) for (const both of [bag, other]) await trainStep(one, both, each, step);
  const [dense, otherDense] = [await bag.toDense(), await other.toDense()];
  t.deepEqual(dense.data, otherDense.data);
  t.notDeepEqual(copyState(await bag.state()).get("cache.rows"), saved.get("cache.rows"));
});

test.serial("a step that is not finite is known before a row is written", async (t) => {
  const each: Case = {
    ...{ shape: OF_16, seed: 2, pooling: "sum", rule: RULES[1], policy: "resident" },
    kind: "pooled",
    update: "step",
  };
  const bag = bagOf(one, each);
  for (let step = 0; step < 4; step++) await trainStep(one, bag, each, step);
  const before = copyState(await bag.state());
  const cached = Number(before.get("cache.ids")?.data[0]);
  await one.step(async () => {
    const plan = bag.plan({ indices: Uint32Array.of(cached) }, { training: false });
    const gradient = scratchFrom(one, [1, 16], new Float32Array(16).fill(Number.NaN, 3, 4));
    t.false((await bag.prepare(plan, gradient)).finite);
    t.false(Number.isFinite((await bag.backward(plan, gradient)).sumOfSquares));
  });
  t.deepEqual(copyState(await bag.state()), before);
});

test.serial("rows of another storage are refused: E_MISMATCH, and nothing is written", async (t) => {
  const each: Case = {
    ...{ shape: SHAPES[0], seed: 2, pooling: "sum", rule: RULES[1], policy: "resident" },
    kind: "pooled",
    update: "step",
  };
  const [bytes, floats] = (["int8", "float32"] as const).map((rowStorage) => bagOf(one, each, { rowStorage }));
  for (const bag of [bytes, floats]) for (let step = 0; step < 5; step++) await trainStep(one, bag, each, step);
  const [ofBytes, ofFloats] = [copyState(await bytes.state()), copyState(await floats.state())];
  const message = /the state's cached rows are (int8, those of the cache float32|float32, those of the cache int8)/;
  await t.throwsAsync(floats.load(ofBytes), { code: "E_MISMATCH", message });
  await t.throwsAsync(bytes.load(ofFloats), { code: "E_MISMATCH", message });
  const scales = { dtype: "F32" as const, shape: [10], data: new Float32Array(10) };
  for (const [name, damage, expected] of [
    ["cache.rows.scale", undefined, /no tensor "cache\.rows\.scale"/],
    ["cache.rows.scale", scales, /"cache\.rows\.scale" is F32 \[10\], F32 \[11\] was expected/],
    [
      "cache.rows",
      { dtype: "I8" as const, shape: [11, 14], data: new Int8Array(154) },
      /"cache\.rows" is I8 \[11,14\], I8 \[11,15\]/,
    ],
    [
      "cache.roundingSeed",
      { dtype: "U32" as const, shape: [2], data: Uint32Array.of(1, 2) },
      /cache\.roundingSeed has 2 elements/,
    ],
  ] as const) {
    const state = new Map(ofBytes);
    if (damage === undefined) state.delete(name);
    else state.set(name, damage);
    await t.throwsAsync(bytes.load(state), { code: "E_MISMATCH", message: expected });
  }
  t.deepEqual(copyState(await bytes.state()), ofBytes);
  t.deepEqual(copyState(await floats.state()), ofFloats);
  for (const roundingSeed of [-1, 0.5, 2 ** 32, Number.NaN]) {
    t.throws(() => bagOf(one, each, { roundingSeed }), { code: "E_OPTION", message: /roundingSeed = / });
  }
  t.throws(() => bagOf(one, each, { rowStorage: "int4" as "int8" }), {
    code: "E_OPTION",
    message: /rowStorage = "int4" is not known; known are float32, int8/,
  });
});

test.serial("bytes are those of the rows, their scales and optimizer state; the same budget holds more rows", async (t) => {
  const each: Case = {
    ...{ shape: OF_16, seed: 2, pooling: "sum", rule: RULES[1], policy: "resident" },
    kind: "pooled",
    update: "step",
  };
  const [bytes, floats] = (["int8", "float32"] as const).map((rowStorage) => bagOf(one, each, { rowStorage }));
  t.is(floats.bytes - bytes.bytes, 11 * (64 - 20));
  t.is(floats.metrics.bytes - bytes.metrics.bytes, 11 * (64 - 20));
  for (const bag of [bytes, floats]) for (let step = 0; step < 5; step++) await trainStep(one, bag, each, step);
  // Adagrad's state is the same for both.
  t.is(floats.bytes - bytes.bytes, 11 * (64 - 20));
  const cores = [...(await bytes.state())]
    .filter(([name]) => name.startsWith("core"))
    .reduce((sum, [, { data }]) => sum + 4 * data.length, 0);
  t.is(bytes.parameterBytes, cores + 11 * (16 + 4 + 4));
  t.is(floats.parameterBytes, cores + 11 * (64 + 4));
  for (const budget of [104, 1000, 4001]) {
    const [ofBytes, ofFloats] = (["int8", "float32"] as const).map((storage) =>
      resolveCacheRows({ cacheBytes: budget }, OF_16, storage),
    );
    t.true(ofBytes >= ofFloats);
    // A row, its scale, id and accesses, and at least four pairs of the map.
    const bytesOf = (rows: number): number => rows * (16 + 4 + 8) + 8 * 2 ** Math.ceil(Math.log2(4 * rows));
    t.true(bytesOf(ofBytes) <= budget && bytesOf(ofBytes + 1) > budget);
  }
  t.is(resolveCacheRows({ cacheBytes: 4001 }, OF_16, "float32"), 32);
});
