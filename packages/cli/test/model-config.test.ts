import test from "ava";
import { resolveSettings } from "../src/options/resolve-settings.ts";
import { modelConfig, needsCounts } from "../src/run/model-config.ts";

const DATA = { denseFeatures: 3, tableNames: ["a", "b", "c"], cardinalities: [50, 10_000, 700] };

test("the largest tables become TT tables, and a cache share gives each a cache of at least one row", (t) => {
  const { tables } = modelConfig(
    resolveSettings({ ttTables: 2, ttRanks: 4, cacheShare: 0.0003, cacheWarmup: 7, cacheRefresh: 9 }, {}),
    DATA,
  );
  const cache = (rows: number) => ({ rows, warmupSteps: 7, refreshEvery: 9, policy: "resident" });
  t.deepEqual(
    tables.map(({ name, embedding }) => [name, embedding]),
    [
      ["a", { kind: "dense" }],
      ["b", { kind: "tt", ranks: 4, cache: cache(3) }],
      ["c", { kind: "tt", ranks: 4, cache: cache(1) }],
    ],
  );
});

test("without a cache share there is no cache, and a share above 1 holds the whole table", (t) => {
  const embedding = (cacheShare: number) =>
    modelConfig(resolveSettings({ ttTables: 1, cacheShare }, {}), DATA).tables[1].embedding;
  t.false("cache" in embedding(0));
  t.like(embedding(3), { cache: { rows: 10_000 } });
  const { tables } = modelConfig(resolveSettings({ ttTables: 1, cacheShare: 0.1, cachePolicy: "semi-dynamic" }, {}), DATA);
  t.like(tables[1].embedding, { cache: { rows: 1000, policy: "semi-dynamic" } });
  t.false("rowStorage" in (tables[1].embedding as { cache: object }).cache, "the default stays out of checkpoints");
  const bytes = modelConfig(resolveSettings({ ttTables: 1, cacheShare: 0.1, cacheStorage: "int8" }, {}), DATA).tables[1];
  t.like(bytes.embedding, { cache: { rows: 1000, rowStorage: "int8" } });
});

test("a cache has one size: rows, at most all of the table's, bytes, or a share, by flags and by rules", (t) => {
  const cacheBy = (settings: object) =>
    modelConfig(resolveSettings({ ttTables: 1, ...settings }, {}), DATA).tables[1].embedding as object;
  t.like(cacheBy({ cacheRows: 7 }), { cache: { rows: 7 } });
  t.like(cacheBy({ cacheRows: 10_007 }), { cache: { rows: 10_000 } });
  t.like(cacheBy({ cacheBytes: "3kB" }), { cache: { bytes: 3000 } });
  t.false("cache" in cacheBy({ cacheRows: 0, cacheBytes: 0 }));
  const byRule = (size: object) =>
    modelConfig(resolveSettings({ embeddings: [{ kind: "tt", tables: ["b"], ranks: 4, ...size }] }, {}), DATA).tables[1]
      .embedding;
  t.like(byRule({ cacheRows: 7 }), { cache: { rows: 7 } });
  t.like(byRule({ cacheBytes: "3 KiB" }), { cache: { bytes: 3072 } });
  const message = "a cache has one size, but cacheShare 0.1 and cacheRows 7 are given";
  t.throws(() => cacheBy({ cacheShare: 0.1, cacheRows: 7 }), { code: "E_OPTION", message });
  t.throws(() => byRule({ cacheShare: 0.1, cacheRows: 7 }), { code: "E_OPTION", message });
  t.throws(() => cacheBy({ cacheBytes: "much" }), { code: "E_OPTION", message: /a number of bytes/ });
  t.throws(() => modelConfig(resolveSettings({ budget: 1000, cacheRows: 7 }, {}), DATA), {
    code: "E_OPTION",
    message: /--cache-rows/,
  });
});

test("a data set without numbers gets a model without a bottom MLP, and too many TT tables are refused", (t) => {
  t.deepEqual(modelConfig(resolveSettings({}, {}), { ...DATA, denseFeatures: 0 }).bottomMlp, []);
  t.throws(() => modelConfig(resolveSettings({ ttTables: 4 }, {}), DATA), { code: "E_OPTION" });
});

test("the first rule that a table meets is its own: by name, size, rank among the largest, and the flags last", (t) => {
  const embeddings = [
    { kind: "hash", tables: ["c"], rows: 40, seed: 3, pooling: "mean" },
    { kind: "quotient-remainder", minRows: 500, largest: 2, collisions: 9, operation: "add" },
  ];
  const settings = resolveSettings({ ttTables: 3, ttRanks: 2, ttStandardDeviation: 0.05, interaction: "cat" }, { embeddings });
  const { tables, interaction } = modelConfig(settings, DATA);
  const initializer = { kind: "sampled-gaussian", scaling: "variance-matched", standardDeviation: 0.05 };
  t.deepEqual(tables, [
    { name: "a", numEmbeddings: 50, embedding: { kind: "tt", ranks: 2, initializer } },
    { name: "b", numEmbeddings: 10_000, embedding: { kind: "quotient-remainder", collisions: 9, operation: "add" } },
    { name: "c", numEmbeddings: 700, embedding: { kind: "hash", rows: 40, seed: 3 }, pooling: "mean" },
  ] as never);
  t.deepEqual(interaction, { kind: "cat" });
  const wrong = resolveSettings({}, { embeddings: [{ kind: "removed", tables: ["z"] }] });
  t.throws(() => modelConfig(wrong, DATA), { code: "E_OPTION", message: /rule 0 names the table "z"; there are a, b, c/ });
});

test("every kind of embedding has a rule; hot rows are the most accessed, a budget is for the tables of its rule", (t) => {
  const counts = DATA.cardinalities.map((rows) => Float64Array.from({ length: rows }, (_, i) => (i * 7919) % rows));
  const of = (rule: object) => {
    const settings = resolveSettings({}, { embeddings: [{ tables: ["c"], ...rule }] });
    t.is(needsCounts(settings), "rows" in rule || "budget" in rule);
    return modelConfig(settings, DATA, counts).tables[2].embedding;
  };
  t.deepEqual(of({ kind: "hot-rows", rows: 3 }), {
    kind: "hot-rows",
    rows: 3,
    ids: [697, 698, 699].map((count) => counts[2].indexOf(count)).sort((a, b) => a - b),
  });
  t.deepEqual(of({ kind: "low-rank", rank: 2 }), { kind: "low-rank", rank: 2 });
  t.deepEqual(of({ kind: "mixed-dimension", dimension: 4 }), { kind: "mixed-dimension", dimension: 4 });
  t.deepEqual(of({ kind: "removed" }), { kind: "removed" });
  const budget = of({ kind: "tt", budget: "5kB" });
  t.true(budget.kind === "tt" && Array.isArray(budget.ranks));
  const mixed = resolveSettings({}, { embeddings: [{ kind: "mixed-dimension", temperature: 0.3 }] });
  const dimensions = modelConfig(mixed, DATA).tables.map(
    ({ embedding }) => embedding.kind === "mixed-dimension" && embedding.dimension,
  );
  t.deepEqual(dimensions, [16, Math.round(16 * (50 / 10_000) ** 0.3), Math.round(16 * (50 / 700) ** 0.3)]);
});

test("a budget chooses ranks, shapes and caches by the accesses, and excludes the settings that it replaces", (t) => {
  const histograms = DATA.cardinalities.map((rows) => Float64Array.from({ length: rows }, (_, i) => 1e5 / (i + 1)));
  const settings = resolveSettings({ budget: "60kB", ttShapes: "compact" }, {});
  const { tables } = modelConfig(settings, DATA, histograms);
  const [, large] = tables;
  if (large.embedding.kind !== "tt") throw new Error("the large table is dense");
  t.true((large.embedding.cache?.rows ?? 0) > 0);
  t.is(large.embedding.rowShape?.length, 3);
  t.true(Array.isArray(large.embedding.ranks));
  t.is(tables[0].embedding.kind, "dense");
  const ofBytes = modelConfig({ ...settings, cacheStorage: "int8" }, DATA, histograms).tables[1].embedding;
  if (ofBytes.kind !== "tt") throw new Error("the large table is dense");
  t.is(ofBytes.cache?.rowStorage, "int8");
  t.true((ofBytes.cache?.rows ?? 0) > (large.embedding.cache?.rows ?? 0));
  const bare = modelConfig(settings, DATA).tables[1].embedding;
  t.false("cache" in bare);
  t.throws(() => modelConfig({ ...settings, ttTables: 1 }, DATA), { code: "E_OPTION", message: /goes without --tt-tables/ });
});
