import { readFileSync } from "node:fs";
import { ERROR_CODES, TtError } from "@tt-rec/tensor";
import test from "ava";
import fc from "fast-check";
import { exitCodeOf } from "../src/exit-codes.ts";
import { parseConfig } from "../src/options/parse-config.ts";
import { configSchema, resolveSettings } from "../src/options/resolve-settings.ts";
import { TRAIN_OPTIONS } from "../src/options/train-options.ts";
import { TRAIN_PRESETS } from "../src/options/train-presets.ts";

const RUNS = process.env.TT_REC_LONG ? 20_000 : 500;

test("a flag beats the config, which beats the preset, which beats the default", (t) => {
  const defaults = resolveSettings({}, {});
  t.is(defaults.batchSize, 128);
  t.is(resolveSettings({ preset: "terabyte" }, {}).batchSize, 2048);
  t.is(resolveSettings({ preset: "terabyte" }, { batchSize: 7 }).batchSize, 7);
  t.is(resolveSettings({ preset: "terabyte", batchSize: "5" }, { batchSize: 7 }).batchSize, 5);
  t.is(resolveSettings({ shuffle: false }, { shuffle: true }).shuffle, false);
  t.deepEqual(resolveSettings({ preset: "kaggle" }, { preset: "terabyte" }).topMlp, [512, 256, 1]);
});

test("the Kaggle preset is DLRM's published configuration", (t) => {
  const { bottomMlp, topMlp, embeddingDim, learningRate, batchSize } = resolveSettings({ preset: "kaggle" }, {});
  t.deepEqual({ bottomMlp, topMlp }, { bottomMlp: [512, 256, 64, 16], topMlp: [512, 256, 1] });
  t.deepEqual({ embeddingDim, learningRate, batchSize }, { embeddingDim: 16, learningRate: 0.1, batchSize: 128 });
});

test("values that break their rule are refused with the flag's name", (t) => {
  const cases: [Record<string, unknown>, string][] = [
    [{ batchSize: 0 }, "--batch-size = 0 is not a whole number of at least 1"],
    [{ batchSize: "" }, '--batch-size = "" is not a whole number of at least 1'],
    [{ batchSize: [1, 2] }, "--batch-size = [1,2] is not a whole number of at least 1"],
    [{ learningRate: "fast" }, '--learning-rate = "fast" is not a number of at least 0'],
    [{ learningRate: Number.POSITIVE_INFINITY }, "--learning-rate = null is not a number of at least 0"],
    [{ optimizer: "lion" }, '--optimizer = "lion" is not one of sgd, adagrad, rowWiseAdagrad, adam'],
    [{ bottomMlp: "64-x-16" }, '--bottom-mlp = "64-x-16" is not a list of whole numbers like 512-256-16'],
    [{ shuffle: "yes" }, '--shuffle = "yes" is not true or false'],
    [{ preset: "kagle-tt-top7-r32" }, '--preset = "kagle-tt-top7-r32" is not known; the nearest is kaggle-tt-top7-r32'],
  ];
  for (const [flags, message] of cases) t.is(t.throws(() => resolveSettings(flags, {}), { code: "E_OPTION" }).message, message);
});

test("unknown keys of a config are refused, __proto__ among them", (t) => {
  for (const text of ['{"batchSizes": 1}', '{"__proto__": {"batchSize": 1}}', '{"constructor": 1}']) {
    t.throws(() => parseConfig(text), { code: "E_OPTION", message: /unknown key/ });
  }
  for (const text of ["[]", "null", "1", "{", ""]) t.throws(() => parseConfig(text), { code: "E_OPTION" });
});

test("any JSON is either a config or a typed error, and leaves Object.prototype alone", (t) => {
  const before = Object.getOwnPropertyNames(Object.prototype);
  const known = fc.constantFrom(...Object.keys(TRAIN_OPTIONS), "preset", "__proto__", "toString");
  fc.assert(
    fc.property(fc.dictionary(known, fc.jsonValue()), (config) => {
      try {
        resolveSettings({}, parseConfig(JSON.stringify(config)));
      } catch (error) {
        if (!(error instanceof TtError)) throw error;
      }
    }),
    { numRuns: RUNS },
  );
  t.deepEqual(Object.getOwnPropertyNames(Object.prototype), before);
});

test("the published schema is that of the settings (npm run schema writes it)", (t) => {
  const published: unknown = JSON.parse(readFileSync("train.schema.json", "utf8"));
  t.deepEqual(published, JSON.parse(JSON.stringify(configSchema())));
});

test("every deliberate error has an exit code, and an unforeseen one has 1", (t) => {
  // Exit code 1 is for mistakes of the program; every other error is somebody else's and says whose.
  const mistakes = ERROR_CODES.filter((code) => exitCodeOf(new TtError(code, "")) === 1);
  t.deepEqual(mistakes, ["E_STEP", "E_DISPOSED", "E_STALE_PLAN"]);
  t.deepEqual(
    (["E_OPTION", "E_ROW", "E_CORRUPT", "E_MEMORY", "E_WORKER", "E_NONFINITE"] as const).map((code) =>
      exitCodeOf(new TtError(code, "")),
    ),
    [2, 3, 4, 5, 5, 6],
  );
  t.is(exitCodeOf(new Error("oops")), 1);
});

test("a mistake in a config is named with its place, an unknown key with the nearest known one", (t) => {
  const cases: [string, RegExp][] = [
    ['{"batchSizes": 1}', /^the config has the unknown key "batchSizes"; the nearest known key is "batchSize"$/],
    ['{"ttlearningrate": 1}', /nearest known key is "ttLearningRate"/],
    ['{"embeddings": [{"kind": "tt", "rank s": 3}]}', /unknown key "rank s" in embeddings.0; the nearest known key is "ranks?"/],
    ['{"batchSize": "128"}', /^the config has batchSize = "128", which must be integer$/],
    ['{"batchSize": 0}', /batchSize = 0, which must be >= 1/],
    [
      '{"optimizer": "lion"}',
      /optimizer = "lion", which must be equal to one of the allowed values: sgd, adagrad, rowWiseAdagrad, adam/,
    ],
    ['{"preset": "avazu"}', /preset = "avazu"/],
    ['{"learningRate": 1e999}', /learningRate = null/],
    ['{"lossWeights": [1]}', /lossWeights/],
    ['{"embeddings": {"kind": "tt"}}', /embeddings = .*must be array/],
    ["[]", /is not a JSON object/],
  ];
  for (const [text, message] of cases) t.throws(() => parseConfig(text), { code: "E_OPTION", message }, text);
  const good = {
    $schema: "x",
    preset: "kaggle",
    ttLearningRate: null,
    budget: "20MB",
    shuffle: "day",
    embeddings: [{ kind: "tt", ranks: 4 }],
  };
  t.deepEqual(parseConfig(JSON.stringify(good)), good);
});

test("every setting can be given by a flag and by a config, and means the same", (t) => {
  // Settings that are unset by default need a value.
  const samples: Partial<Record<string, unknown>> = {
    embeddings: [{ kind: "hash", largest: 2, rows: 5 }],
    embeddingOptimizer: "adam",
    decayStart: 7,
    cacheWarmup: 3,
    cacheRefresh: 5,
  };
  for (const [name, spec] of Object.entries(TRAIN_OPTIONS)) {
    const value = samples[name] ?? spec.default ?? 0.25;
    const separator = spec.placeholder.includes("-") ? "-" : ",";
    const flag = name === "embeddings" ? JSON.stringify(value) : Array.isArray(value) ? value.join(separator) : String(value);
    const fromFile = resolveSettings({}, parseConfig(JSON.stringify({ [name]: value })));
    t.deepEqual(resolveSettings({ [name]: flag }, {}), fromFile, name);
    t.deepEqual(fromFile[name as keyof typeof fromFile], value as never, name);
  }
});

test("there is a preset for each data set, number of TT tables and rank of the paper, and two for the sample", (t) => {
  const names = [...TRAIN_PRESETS.keys()];
  t.is(names.length, 2 * (2 + 3 * 4) + 2);
  const { embeddingDim, batchSize, ttTables, ttRanks } = resolveSettings({ preset: "terabyte-tt-top5-r64" }, {});
  t.deepEqual({ embeddingDim, batchSize, ttTables, ttRanks }, { embeddingDim: 64, batchSize: 2048, ttTables: 5, ttRanks: 64 });
  t.deepEqual(resolveSettings({ preset: "kaggle-baseline" }, {}), resolveSettings({}, { preset: "kaggle" }));
});

test("rules that mix the fields of kinds are refused by name", (t) => {
  const cases: [object, RegExp][] = [
    [{ kind: "hash" }, /^embeddings\[0\] of kind hash needs rows$/],
    [{ kind: "tt", ranks: 2, budget: 5 }, /needs ranks or budget/],
    [{ kind: "dense", ranks: 2 }, /has the key "ranks", which is not one of dense/],
    [{ kind: "magic" }, /has the kind "magic"; known are dense/],
  ];
  for (const [rule, message] of cases) {
    t.throws(() => resolveSettings({ embeddings: JSON.stringify([rule]) }, {}), { code: "E_OPTION", message });
  }
  t.throws(() => resolveSettings({ embeddings: "[" }, {}), { code: "E_OPTION", message: /is not JSON/ });
});
