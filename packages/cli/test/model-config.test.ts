import test from "ava";
import { resolveSettings } from "../src/options/resolve-settings.ts";
import { modelConfig } from "../src/run/model-config.ts";

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
});

test("a data set without numbers gets a model without a bottom MLP, and too many TT tables are refused", (t) => {
  t.deepEqual(modelConfig(resolveSettings({}, {}), { ...DATA, denseFeatures: 0 }).bottomMlp, []);
  t.throws(() => modelConfig(resolveSettings({ ttTables: 4 }, {}), DATA), { code: "E_OPTION" });
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
  const bare = modelConfig(settings, DATA).tables[1].embedding;
  t.false("cache" in bare);
  t.throws(() => modelConfig({ ...settings, ttTables: 1 }, DATA), { code: "E_OPTION", message: /goes without --tt-tables/ });
});
