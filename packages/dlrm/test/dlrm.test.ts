import { createRng, type HostTensor, type NamedTensors } from "@tt-rec/tensor";
import { copyState, rejectsCode, throwsCode } from "@tt-rec/testing";
import test from "ava";
import {
  type Batch,
  Dlrm,
  type DlrmConfig,
  type EmbeddingConfig,
  type InteractionConfig,
  type TableConfig,
} from "../src/index.ts";
import { parametersOf } from "./model-definition.ts";
import { bitsOf, EMBEDDINGS, KINDS, MIXED, parametersOnly, randomBatch, runtime, smallConfig } from "./support.ts";

// A runtime has one step at a time, so tests that use it are serial.

test.serial("TT tables follow ttLearningRate, all else learningRate", async (t) => {
  const model = new Dlrm(runtime, MIXED, createRng(1));
  const batch = randomBatch(MIXED, 17, 2);
  const before = parametersOf(copyState(await model.state()));
  const movedParts = async (learningRate: number, ttLearningRate: number): Promise<string[]> => {
    await model.load(new Map([...initial]));
    await model.train(batch, { kind: "sgd", learningRate, ttLearningRate });
    const after = parametersOf(await model.state());
    // The cache of c fills at the end of its first step, whatever the rates.
    const own = [...before].filter(([name]) => !name.includes("cache."));
    const moved = own.filter(([name, w]) => w.some((value, i) => value !== after.get(name)?.[i]));
    return [...new Set(moved.map(([name]) => name.split(".").slice(0, 2).join(".")))].sort();
  };
  const initial = copyState(await model.state());
  t.deepEqual(await movedParts(1, 0), ["bottom.0", "bottom.1", "table.a", "table.d", "top.0", "top.1", "top.2"]);
  t.deepEqual(await movedParts(0, 1), ["table.b", "table.c"]);
});

test.serial("the MLPs of the paper's models have 475,985 and 762,177 parameters", (t) => {
  const tables = Array.from({ length: 26 }, (_, i) => ({
    name: `C${i + 1}`,
    numEmbeddings: 3,
    embedding: EMBEDDINGS.dense,
  }));
  const kaggle = { denseFeatures: 13, embeddingDim: 16, bottomMlp: [512, 256, 64, 16], topMlp: [512, 256, 1], tables };
  const terabyte = { denseFeatures: 13, embeddingDim: 64, bottomMlp: [512, 256, 64], topMlp: [512, 512, 256, 1], tables };
  for (const [config, parameters] of [
    [kaggle, 475_985],
    [terabyte, 762_177],
  ] as const) {
    const model = new Dlrm(runtime, config, createRng(1));
    t.is(model.mlpBytes, 4 * parameters);
    t.is(model.embeddingBytes, 4 * 26 * 3 * config.embeddingDim);
    model.dispose();
  }
});

test.serial("sizes count optimizer state, and embeddingParameterBytes does not", async (t) => {
  const config = smallConfig(EMBEDDINGS.tt);
  const model = new Dlrm(runtime, config, createRng(1));
  const cores = 2 * 1 * 1 * 2 + 5 * 2 * 3 * 3 + 3 * 3 * 2 * 1;
  const mlp = 3 * 5 + 5 + 5 * 6 + 6 + (6 + 3) * 11 + 11 + 11 + 1;
  t.deepEqual([model.mlpBytes, model.embeddingBytes], [4 * mlp, 4 * (7 * 6 + cores)]);
  await model.train(randomBatch(config, 5, 1), { kind: "adagrad", learningRate: 0.1 });
  t.deepEqual([model.mlpBytes, model.embeddingBytes], [8 * mlp, 8 * (7 * 6 + cores)]);
  t.is(model.embeddingParameterBytes, 4 * (7 * 6 + cores));
});

test.serial("uncompressed tables are drawn from U(−1/√n, 1/√n)", async (t) => {
  const n = 1009;
  const config = { ...smallConfig(EMBEDDINGS.dense), tables: [{ name: "x", numEmbeddings: n, embedding: EMBEDDINGS.dense }] };
  const rows = Float64Array.from((await new Dlrm(runtime, config, createRng(4)).state()).get("table.x.table")?.data ?? []);
  const bound = 1 / Math.sqrt(n);
  const [size, sum, squares] = [rows.length, rows.reduce((a, b) => a + b, 0), rows.reduce((a, b) => a + b * b, 0)];
  t.is(size, n * 6);
  t.true(rows.every((w) => Math.abs(w) <= bound * (1 + 1e-7)));
  t.true(Math.max(...rows) > 0.99 * bound && Math.min(...rows) < -0.99 * bound);
  t.true(Math.abs(sum / size) < 4 * bound * Math.sqrt(1 / 3 / size));
  // The square of a uniform number has variance 4/45 of its bound's fourth power.
  t.true(Math.abs(squares / size - bound ** 2 / 3) < 4 * bound ** 2 * Math.sqrt(4 / 45 / size));
});

test.serial("TT tables are drawn with the standard deviation of uncompressed ones", async (t) => {
  const n = 1009;
  const embedding: EmbeddingConfig = { kind: "tt", ranks: 7 };
  const config = { ...smallConfig(embedding), tables: [{ name: "x", numEmbeddings: n, embedding }] };
  const model = new Dlrm(runtime, config, createRng(4));
  const table = (await model.tables[0].bag.toDense()).data;
  const variance = table.reduce((sum, w) => sum + w * w, 0) / table.length;
  // Entries share core entries, so the sample variance spreads far more than that of independent ones.
  t.true(Math.abs(variance * 3 * n - 1) < 0.3, String(variance * 3 * n));
});

test.serial("the draw of a table and of the MLPs does not depend on how other tables are stored", async (t) => {
  const choices: EmbeddingConfig[] = [EMBEDDINGS.dense, EMBEDDINGS.tt, EMBEDDINGS.cached];
  const draws = await Promise.all(
    choices.map(async (embedding) => copyState(await new Dlrm(runtime, withTable(1, embedding), createRng(8)).state())),
  );
  const others = draws.map((state) => bitsOf(new Map([...state].filter(([name]) => !name.startsWith("table.b.")))));
  t.is(others[0], others[1]);
  t.is(others[0], others[2]);
  t.deepEqual(draws[1].get("table.b.core.1"), draws[2].get("table.b.core.1"), "a cache does not change the draw either");
  const again = new Dlrm(runtime, withTable(1, EMBEDDINGS.dense), createRng(8));
  t.is(bitsOf(await again.state()), bitsOf(draws[0]));
  t.not(bitsOf(await new Dlrm(runtime, withTable(1, EMBEDDINGS.dense), createRng(9)).state()), bitsOf(draws[0]));
});

function withTable(index: number, embedding: EmbeddingConfig): DlrmConfig {
  return { ...MIXED, tables: MIXED.tables.map((table, i) => (i === index ? { ...table, embedding } : table)) };
}

test("a configuration whose parts do not fit is E_OPTION", (t) => {
  const table = (part: Partial<TableConfig>): Partial<DlrmConfig> => ({
    tables: [MIXED.tables[0], { ...MIXED.tables[1], ...part }],
  });
  const bad: [Partial<DlrmConfig>, RegExp][] = [
    [{ denseFeatures: -1 }, /denseFeatures = -1/],
    [{ denseFeatures: 1.5 }, /denseFeatures = 1.5/],
    [{ denseFeatures: Number.NaN }, /denseFeatures = NaN/],
    [{ embeddingDim: 0 }, /embeddingDim = 0/],
    [{ denseFeatures: 0 }, /no bottom MLP, but bottomMlp = \[7,6\]/],
    [{ bottomMlp: [6, 7] }, /\[6,7\] is not the embedding dimension, 6/],
    [{ bottomMlp: [] }, /embedding dimension/],
    [{ bottomMlp: [0, 6] }, /width 0 of the bottom MLP is 0/],
    [{ topMlp: [5, 2] }, /\[5,2\] is not 1/],
    [{ topMlp: [] }, /is not 1/],
    [{ topMlp: [2.5, 1] }, /width 0 of the top MLP is 2.5/],
    [{ tables: [] }, /two vectors; there are 0 tables/],
    [{ denseFeatures: 0, bottomMlp: [], tables: MIXED.tables.slice(0, 1) }, /two vectors; there are 1 tables/],
    [{ tables: [MIXED.tables[0], MIXED.tables[0]] }, /same name/],
    [table({ name: "" }), /"" cannot name/],
    [table({ name: "x.y" }), /"x.y" cannot name/],
    [
      table({ embedding: { kind: "tree" } as unknown as EmbeddingConfig }),
      /table b: its embedding is of kind "tree"; known are dense, tt, hash/,
    ],
    [table({ embedding: {} as unknown as EmbeddingConfig }), /table b: its embedding is of kind undefined/],
    [{ interaction: { kind: "sum" } as unknown as InteractionConfig }, /interaction is of kind "sum"; known are dot, cat, cross/],
    [{ interaction: { kind: "dot", self: 1 } as unknown as InteractionConfig }, /self = 1 is not true or false/],
    [{ interaction: { kind: "cross", layers: 0, rank: 1 } }, /interaction.layers = 0/],
    [{ interaction: { kind: "cross", layers: 1, rank: 1.5 } }, /interaction.rank = 1.5/],
    [{ mlpInitializer: "xavier" as "he" }, /"xavier" is not dlrm or he/],
    [{ loss: "mae" as "mse" }, /loss "mae" is not bce or mse/],
    [{ loss: "mse", lossWeights: [1, 2] }, /are for the loss bce, not for mse/],
    [{ lossWeights: [1, -1] }, /lossWeights = \[1,-1\]/],
    [{ tables: MIXED.tables.map((each) => ({ ...each, embedding: EMBEDDINGS.removed })) }, /there are 0 tables/],
    [table({ pooling: "none" as "max" }), /pooling "none" is not known/],
    [table({ embedding: { kind: "hash", rows: 30 } }), /table b: rows = 30 .* 29/],
    [table({ embedding: { kind: "hash", rows: 3, seed: 0.5 } }), /seed = 0.5/],
    [table({ embedding: { kind: "quotient-remainder", collisions: 0 } }), /collisions = 0/],
    [table({ embedding: { kind: "quotient-remainder", collisions: 2, operation: "sub" as "add" } }), /operation "sub"/],
    [table({ embedding: { kind: "mixed-dimension", dimension: 7 } }), /dimension = 7 .* 6/],
    [table({ embedding: { kind: "low-rank", rank: 0 } }), /rank = 0/],
    [table({ embedding: { kind: "hot-rows", rows: 30 } }), /rows = 30/],
    [table({ embedding: { kind: "hot-rows", rows: 2, ids: [1] } }), /1 ids for 2 rows/],
    [table({ embedding: { kind: "hot-rows", rows: 2, ids: [5, 5] } }), /ids\[1\] = 5/],
    [table({ embedding: { kind: "hot-rows", rows: 2, ids: [5, 29] } }), /ids\[1\] = 29/],
    [table({ embedding: { kind: "tt", ranks: 0 } }), /ranks = 0/],
    [table({ embedding: { kind: "tt", ranks: 2, cache: { rows: 30, warmupSteps: 1, refreshEvery: 1 } } }), /cacheRows = 30/],
    [table({ embedding: { kind: "tt", ranks: 2, cache: { rows: 3, warmupSteps: 0, refreshEvery: 1 } } }), /warmupSteps = 0/],
  ];
  for (const [part, message] of bad)
    throwsCode(t, "E_OPTION", () => new Dlrm(runtime, { ...MIXED, ...part }, createRng(1)), message);
  throwsCode(t, "E_SHAPE", () => new Dlrm(runtime, { ...MIXED, ...table({ numEmbeddings: 31 }) }, createRng(1)), /31/);
});

test.serial("a malformed batch is refused, and no parameter moves", async (t) => {
  const model = new Dlrm(runtime, MIXED, createRng(1));
  const good = randomBatch(MIXED, 5, 1);
  const before = bitsOf(parametersOnly(await model.state()));
  const withBags = (bags: Batch["bags"][number]): Batch => ({ ...good, bags: [good.bags[0], bags, ...good.bags.slice(2)] });
  const one = Uint32Array.of(0, 1, 2, 3, 4);
  const bad: [Batch, Parameters<typeof rejectsCode>[1], RegExp][] = [
    [{ ...good, labels: new Float32Array(4) }, "E_SHAPE", /4 labels for 5 samples/],
    [{ ...good, dense: new Float32Array(14) }, "E_SHAPE", /14 dense values for 5 samples of 3/],
    [{ ...good, bags: good.bags.slice(1) }, "E_SHAPE", /ids for 3 tables, the model 4/],
    [withBags({ indices: Uint32Array.of(1, 2) }), "E_SHAPE", /table b has 2 bags for 5/],
    [withBags({ indices: one, offsets: Uint32Array.of(0, 5) }), "E_SHAPE", /table b has 1 bags for 5/],
    [withBags({ indices: one, offsets: new Uint32Array(0) }), "E_SHAPE", /table b has -?\d bags for 5/],
    [withBags({ indices: Uint32Array.of(0, 1, 29, 3, 4) }), "E_INDEX", /indices\[2\] = 29/],
    [withBags({ indices: one, offsets: Uint32Array.of(1, 2, 3, 4, 5, 5) }), "E_OFFSETS", /offsets\[0\]/],
    [withBags({ indices: one, offsets: Uint32Array.of(0, 2, 1, 4, 5, 5) }), "E_OFFSETS", /offsets\[2\]/],
    [withBags({ indices: one, weights: Float32Array.of(1, Number.NaN, 1, 1, 1) }), "E_WEIGHTS", /weights\[1\]/],
  ];
  for (const [batch, code, message] of bad) {
    await rejectsCode(t, code, model.train(batch, { kind: "sgd", learningRate: 1 }), message);
    await rejectsCode(t, code, model.score(batch), message);
    await rejectsCode(t, code, model.predict(batch), message);
  }
  t.is(bitsOf(parametersOnly(await model.state())), before);
  await t.notThrowsAsync(model.train(good, { kind: "sgd", learningRate: 1 }));
});

test.serial("a batch without samples scores to nothing and trains to nothing", async (t) => {
  const model = new Dlrm(runtime, MIXED, createRng(1));
  const empty = randomBatch(MIXED, 0, 1);
  const before = bitsOf(parametersOnly(await model.state()));
  t.is((await model.score(empty)).length, 0);
  t.is(await model.train(empty, { kind: "sgd", learningRate: 1 }), 0);
  t.is(bitsOf(parametersOnly(await model.state())), before);
});

test.serial("a bad optimizer is E_OPTION, and nothing moves", async (t) => {
  const model = new Dlrm(runtime, MIXED, createRng(1));
  const before = bitsOf(await model.state());
  const batch = randomBatch(MIXED, 5, 1);
  await rejectsCode(t, "E_OPTION", model.train(batch, { kind: "sgd", learningRate: -1 }));
  await rejectsCode(t, "E_OPTION", model.train(batch, { kind: "sgd", learningRate: 1, ttLearningRate: Number.NaN }));
  await rejectsCode(t, "E_OPTION", model.train(batch, { kind: "adagrad", learningRate: 1, eps: Number.POSITIVE_INFINITY }));
  await rejectsCode(t, "E_OPTION", model.train(batch, { kind: "lion" as "sgd", learningRate: 1 }), /lion/);
  t.is(bitsOf(await model.state()), before);
});
test.serial("scoring and evaluation modes leave the state alone, the caches' counters included", async (t) => {
  const model = new Dlrm(runtime, MIXED, createRng(1));
  await model.train(randomBatch(MIXED, 11, 1), { kind: "adagrad", learningRate: 0.1 });
  const before = bitsOf(await model.state());
  await model.score(randomBatch(MIXED, 13, 2));
  await model.predict(randomBatch(MIXED, 13, 3));
  t.is(bitsOf(await model.state()), before);
});

for (const kind of KINDS) {
  test.serial(`${kind}: a state round trip keeps every bit, and the loaded model goes on alike`, async (t) => {
    const config = smallConfig(EMBEDDINGS[kind]);
    const model = new Dlrm(runtime, config, createRng(1));
    const adagrad = { kind: "adagrad", learningRate: 0.1 } as const;
    for (let i = 0; i < 4; i++) await model.train(randomBatch(config, 11, i), adagrad);
    const other = new Dlrm(runtime, config, createRng(2));
    // Leftover accumulators must not survive a load.
    await other.train(randomBatch(config, 7, 9), adagrad);
    await other.load(await model.state());
    t.is(bitsOf(await other.state()), bitsOf(await model.state()));
    for (const each of [model, other]) await each.train(randomBatch(config, 11, 5), adagrad);
    t.is(bitsOf(await other.state()), bitsOf(await model.state()));
    const fresh = new Dlrm(runtime, config, createRng(3));
    await other.load(await fresh.state());
    t.is(bitsOf(await other.state()), bitsOf(await fresh.state()), "a state without accumulators removes them");
  });
}

test.serial("another model's state is E_MISMATCH", async (t) => {
  const config = smallConfig(EMBEDDINGS.tt);
  const model = new Dlrm(runtime, config, createRng(1));
  const state = copyState(await model.state());
  const f32 = (shape: number[], length = shape.reduce((a, b) => a * b)): HostTensor => ({
    dtype: "F32",
    shape,
    data: new Float32Array(length),
  });
  const without = (name: string): NamedTensors => new Map([...state].filter(([key]) => key !== name));
  const plus = (name: string, tensor: HostTensor): NamedTensors => new Map([...state, [name, tensor]]);
  const bad: [NamedTensors, RegExp][] = [
    [new Map(), /no tensor "bottom\.0\.weight"/],
    [without("top.1.bias"), /no tensor "top\.1\.bias"/],
    [without("table.large.core.2"), /core\.2/],
    [plus("top.1.bias", f32([2])), /"top\.1\.bias" is F32 \[2\], F32 \[1\]/],
    [plus("top.1.bias", f32([1], 2)), /"top\.1\.bias" has 2 elements, \[1\] needs 1/],
    [plus("top.1.bias", { dtype: "F64", shape: [1], data: new Float64Array(1) }), /is F64/],
    [plus("adagrad.top.1.bias", f32([3])), /"adagrad\.top\.1\.bias" is F32 \[3\]/],
    [plus("top.2.bias", f32([1])), /unknown tensor "top\.2\.bias"/],
    [plus("adagrad.bottom.7.weight", f32([1])), /unknown tensor "adagrad\.bottom\.7\.weight"/],
    [plus("table.other.table", f32([1])), /unknown tensor "table\.other\.table"/],
    [plus("table.large.core.3", f32([1])), /core\.3/],
    [plus("x", f32([1])), /unknown tensor "x"/],
    [plus("__proto__", f32([1])), /unknown tensor "__proto__"/],
  ];
  for (const [other, message] of bad) await rejectsCode(t, "E_MISMATCH", model.load(other), message);
  for (const embedding of [EMBEDDINGS.dense, EMBEDDINGS.cached]) {
    const another = new Dlrm(runtime, smallConfig(embedding), createRng(1));
    await rejectsCode(t, "E_MISMATCH", model.load(await another.state()));
    await rejectsCode(t, "E_MISMATCH", another.load(state));
  }
  const deeper = new Dlrm(runtime, { ...config, bottomMlp: [5, 6, 6] }, createRng(1));
  await rejectsCode(t, "E_MISMATCH", model.load(await deeper.state()), /unknown tensor "bottom\.2\.weight"/);
});

test.serial(
  "a cache starts with the accesses that are known of its own table's rows, and its size may be given in bytes or as a share",
  async (t) => {
    const counts = new Uint32Array(29);
    counts.set([5, 9, 7], 11);
    // Two rows of 6 columns with ids, accesses and 8 pairs of a map, and 2 of 29 rows.
    for (const size of [{ rows: 2 }, { bytes: 4 * 2 * 8 + 8 * 8 }, { share: 0.07 }]) {
      const config = smallConfig({ ...EMBEDDINGS.tt, cache: { ...size, policy: "static" } } as EmbeddingConfig);
      const model = new Dlrm(runtime, config, createRng(1), { accessCounts: [new Uint32Array(7).fill(9), counts] });
      const batch = randomBatch(config, 5, 1);
      await model.train(batch, { kind: "sgd", learningRate: 0.1 });
      t.deepEqual([...((await model.state()).get("table.large.cache.ids")?.data ?? [])], [12, 13], JSON.stringify(size));
      model.dispose();
    }
  },
);

test.serial("a disposed model is refused with E_DISPOSED", async (t) => {
  const model = new Dlrm(runtime, MIXED, createRng(1));
  model.dispose();
  await rejectsCode(t, "E_DISPOSED", model.score(randomBatch(MIXED, 3, 1)));
});

test("tables with int8 cached rows round by seeds of their own, the same for the same rng", async (t) => {
  const config = smallConfig(EMBEDDINGS.cachedInt8);
  const [small, large] = config.tables;
  const tables = [small, large, { ...large, name: "other" }];
  const seedsOf = async (): Promise<(number | undefined)[]> => {
    const model = new Dlrm(runtime, { ...config, tables }, createRng(1));
    const state = await model.state();
    const seeds = ["large", "other"].map((name) => state.get(`table.${name}.cache.roundingSeed`)?.data[0]);
    model.dispose();
    return seeds;
  };
  const seeds = await seedsOf();
  t.true(seeds[0] !== undefined && seeds[1] !== undefined && seeds[0] !== seeds[1]);
  t.deepEqual(await seedsOf(), seeds);
});
