import test from "ava";
import fc from "fast-check";
import {
  compactShape,
  createTTShape,
  KAGGLE_CARDINALITIES,
  parameterCount,
  planCompression,
  suggestShape,
  TERABYTE_CARDINALITIES,
} from "../src/index.ts";
import { fillKnapsack } from "../src/plan/knapsack.ts";

const RUNS = process.env.TT_REC_LONG ? 3000 : 300;

const RANKS = [8, 16, 32, 64];
const KAGGLE = { embeddingDim: 16, numEmbeddings: KAGGLE_CARDINALITIES };
const TERABYTE = { embeddingDim: 64, numEmbeddings: TERABYTE_CARDINALITIES };
/** Bytes of the MLPs of DLRM's two models. */
const KAGGLE_MLP = 4 * 475_985;
const TERABYTE_MLP = 4 * 762_177;

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);

test("the public table sizes add up to 2.16 GB and 12.58 GB", (t) => {
  t.is(KAGGLE_CARDINALITIES.length, 26);
  t.is(TERABYTE_CARDINALITIES.length, 26);
  t.is(sum(KAGGLE_CARDINALITIES), 33_762_577);
  t.is(sum(TERABYTE_CARDINALITIES), 49_126_297);
  t.is(planCompression({ ...KAGGLE, tables: 7, ranks: 8 }).uncompressedBytes, 2_160_804_928);
  t.is(planCompression({ ...TERABYTE, tables: 7, ranks: 8 }).uncompressedBytes, 12_576_332_032);
});

test("every table of the paper has its shape, parameters and ratio", (t) => {
  const kaggle: Record<number, [string, number[], string]> = {
    10131227: ["200,220,250", [39_360, 135_040, 495_360, 1_891_840], "4118/1200/327/86"],
    8351593: ["200,200,209", [35_488, 122_176, 449_152, 1_717_504], "3765/1094/298/78"],
    7046547: ["200,200,200", [35_200, 121_600, 448_000, 1_715_200], "3203/927/252/66"],
    5461306: ["166,175,188", [31_072, 106_944, 393_088, 1_502_976], "2812/817/222/58"],
    2202608: ["125,130,136", [22_992, 79_264, 291_648, 1_115_776], "1533/445/121/32"],
    286181: ["53,72,75", [12_464, 43_360, 160_448, 615_808], "367/106/29/7"],
    142572: ["50,52,55", [9216, 31_744, 116_736, 446_464], "248/72/20/5"],
  };
  const terabyte: Record<number, [string, number[], string]> = {
    9994222: ["200,200,250", [65_600, 233_600, 876_800, 3_392_000], "9750/2738/730/189"],
    9980333: ["200,222,225", [70_432, 254_528, 963_712, 3_746_048], "9069/2510/663/171"],
    9946608: ["200,203,245", [66_208, 236_352, 888_448, 3_439_872], "9615/2693/717/185"],
    9758201: ["203,209,230", [67_360, 241_728, 911_488, 3_535_104], "9271/2584/685/177"],
    7267859: ["200,200,200", [64_000, 230_400, 870_400, 3_379_200], "7268/2019/534/138"],
    1333352: ["125,125,128", [40_096, 144_192, 544_384, 2_112_768], "2128/592/157/40"],
    415421: ["70,75,80", [24_000, 86_400, 326_400, 1_267_200], "1108/308/81/21"],
  };
  for (const [request, expected] of [
    [KAGGLE, kaggle],
    [TERABYTE, terabyte],
  ] as const) {
    const plans = RANKS.map((ranks) => planCompression({ ...request, tables: 7, ranks }));
    const compressed = plans[0].tables.filter((table) => table.kind === "tt");
    t.deepEqual(
      compressed.map((table) => table.numEmbeddings).sort((a, b) => a - b),
      Object.keys(expected).map(Number),
    );
    for (const { index, numEmbeddings, shape } of compressed) {
      const [factors, parameters, ratios] = expected[numEmbeddings];
      const across = plans.map((plan) => plan.tables[index]);
      t.is(shape?.rowShape.join(), factors);
      t.deepEqual(
        across.map((table) => table.parameters),
        parameters,
      );
      t.deepEqual(
        across.map((table) => table.bytes),
        parameters.map((count) => 4 * count),
      );
      t.is(across.map((table) => Math.round(table.ratio)).join("/"), ratios);
    }
  }
});

test("whole-model sizes and ratios with 3, 5 and 7 TT tables are the published ones", (t) => {
  // Per rank: MB and ratio for 3, 5 and 7 tables, then size of 3 over size of 7.
  const line = (request: typeof KAGGLE, ranks: number, digits: readonly number[]): string => {
    const plans = [3, 5, 7].map((tables) => planCompression({ ...request, tables, ranks }));
    const cells = plans.map((plan, i) => `${(plan.bytes / 1e6).toFixed(digits[i])} = ${plan.ratio.toFixed(1)}x`);
    return [...cells, (plans[0].bytes / plans[2].bytes).toFixed(1)].join(" | ");
  };
  t.deepEqual(
    RANKS.map((ranks) => line(KAGGLE, ranks, [1, 1, 2])),
    [
      "527.4 = 4.1x | 37.1 = 58.3x | 9.74 = 221.9x | 54.2",
      "528.4 = 4.1x | 38.7 = 55.8x | 11.56 = 187.0x | 45.7",
      "532.5 = 4.1x | 44.7 = 48.3x | 18.41 = 117.4x | 28.9",
      "548.2 = 3.9x | 68.2 = 31.7x | 45.02 = 48.0x | 12.2",
    ],
  );
  t.deepEqual(
    RANKS.map((ranks) => line(TERABYTE, ranks, [0, 0, 1])),
    [
      "4917 = 2.6x | 559 = 22.5x | 111.7 = 112.5x | 44.0",
      "4919 = 2.6x | 563 = 22.4x | 115.9 = 108.5x | 42.5",
      "4927 = 2.6x | 576 = 21.8x | 131.7 = 95.5x | 37.4",
      "4959 = 2.5x | 628 = 20.0x | 193.6 = 64.9x | 25.6",
    ],
  );
});

test("sizes of whole models are the sums of the paper's tables and the dense rest", (t) => {
  // The parameters of the seven Terabyte tables at R = 8 and 64, and the 430,301 rows of the other 19.
  const dense = 4 * 64 * 430_301;
  const ranks8 = [65_600, 70_432, 66_208, 67_360, 64_000, 40_096, 24_000];
  const ranks64 = [3_392_000, 3_746_048, 3_439_872, 3_535_104, 3_379_200, 2_112_768, 1_267_200];
  t.is(planCompression({ ...TERABYTE, tables: 7, ranks: 8 }).bytes, 4 * sum(ranks8) + dense);
  t.is(planCompression({ ...TERABYTE, tables: 7, ranks: 64 }).bytes, 4 * sum(ranks64) + dense);
});

test("ratios with the MLPs counted in are the published ones", (t) => {
  const withMlp = (request: typeof KAGGLE, mlp: number, tables: number, ranks: number): string => {
    const plan = planCompression({ ...request, tables, ranks });
    return ((plan.uncompressedBytes + mlp) / (plan.bytes + mlp)).toFixed(1);
  };
  t.deepEqual(
    RANKS.map((ranks) => withMlp(KAGGLE, KAGGLE_MLP, 7, ranks)),
    ["185.8", "160.7", "106.5", "46.1"],
  );
  t.is(withMlp(KAGGLE, KAGGLE_MLP, 5, 32), "46.4");
  t.is(withMlp(TERABYTE, TERABYTE_MLP, 7, 8), "109.6");
});

test("tables keep their order, and of equal ones the first are compressed", (t) => {
  const plan = planCompression({ embeddingDim: 16, numEmbeddings: [500, 2000, 1000, 2000, 2000], tables: 2, ranks: 4 });
  t.deepEqual(
    plan.tables.map(({ index, numEmbeddings, kind }) => [index, numEmbeddings, kind]),
    [
      [0, 500, "dense"],
      [1, 2000, "tt"],
      [2, 1000, "dense"],
      [3, 2000, "tt"],
      [4, 2000, "dense"],
    ],
  );
  t.deepEqual(plan.tables[0], {
    index: 0,
    numEmbeddings: 500,
    kind: "dense",
    parameters: 8000,
    bytes: 32000,
    paddingRows: 0,
    cacheRows: 0,
    cacheBytes: 0,
    ratio: 1,
  });
  t.is(plan.bytes, sum(plan.tables.map((table) => table.bytes)));
  t.is(plan.ratio, (4 * 16 * 7500) / plan.bytes);
});

test("requests that cannot be met are refused", (t) => {
  t.throws(() => planCompression({ ...KAGGLE, tables: 27, ranks: 8 }), {
    code: "E_OPTION",
    message: "tables = 27 is not an integer from 0 to 26, the number of tables",
  });
  t.throws(() => planCompression({ embeddingDim: 16, numEmbeddings: [5, -1], tables: 0, ranks: 8 }), {
    code: "E_OPTION",
    message: "numEmbeddings[1] = -1 is not a positive integer",
  });
  t.throws(() => planCompression({ ...KAGGLE, tables: 1, ranks: 0 }), { code: "E_OPTION" });
  t.throws(() => planCompression({ ...KAGGLE, budgetBytes: 1e6, targetRatio: 3 }), {
    code: "E_OPTION",
    message: "a plan takes budgetBytes or targetRatio, not both",
  });
  t.throws(() => planCompression(KAGGLE), {
    code: "E_OPTION",
    message: "a plan needs tables and ranks, or budgetBytes, or targetRatio",
  });
  t.throws(() => planCompression({ ...KAGGLE, budgetBytes: 1000 }), {
    code: "E_OPTION",
    message: /^a budget of 1000 bytes is below/,
  });
  t.throws(() => planCompression({ embeddingDim: [4], numEmbeddings: [5, 6], tables: 0, ranks: 8 }), { code: "E_SHAPE" });
  t.throws(() => planCompression({ embeddingDim: 4, numEmbeddings: [5], histograms: [[1, 2]], budgetBytes: 99 }), {
    code: "E_SHAPE",
    message: "histograms[0] has 2 entries, the table has 5 rows",
  });
});

test("a budget and a ratio are kept, and what is larger serves more", (t) => {
  let before = 0;
  for (const budgetBytes of [2e6, 5e6, 2e7, 1e8]) {
    const plan = planCompression({ ...KAGGLE, budgetBytes });
    t.true(plan.bytes <= budgetBytes && plan.bytes > 0.8 * budgetBytes, `${plan.bytes} of ${budgetBytes}`);
    t.is(plan.bytes, sum(plan.tables.map(({ bytes, cacheBytes }) => bytes + cacheBytes)));
    t.true(plan.bytes > before);
    before = plan.bytes;
  }
  const plan = planCompression({ ...KAGGLE, targetRatio: 117.4 });
  t.true(plan.ratio >= 117.4);
  // Small tables stay as they are, the largest do not.
  t.deepEqual(
    plan.tables
      .filter(({ kind }) => kind === "tt")
      .map(({ numEmbeddings }) => numEmbeddings)
      .sort((a, b) => b - a)
      .slice(0, 5),
    [10_131_227, 8_351_593, 7_046_547, 5_461_306, 2_202_608],
  );
  t.is(planCompression({ ...KAGGLE, budgetBytes: 1e10 }).ratio, 1);
  const two = planCompression({ ...KAGGLE, budgetBytes: 1.2e9, tables: 2, ranks: 8 });
  t.deepEqual(
    two.tables.flatMap(({ numEmbeddings, shape }) => (shape ? [numEmbeddings, Math.max(...shape.ranks)] : [])),
    [10_131_227, 8, 8_351_593, 8],
  );
});

test("histograms buy caches of hot rows where accesses are skewed, and fewer where they are even", (t) => {
  const rows = 100_000;
  const skewed = Float64Array.from({ length: rows }, (_, i) => 1e6 / (((i * 7919) % rows) + 1));
  const even = new Float64Array(rows).fill(3);
  const plan = planCompression({
    embeddingDim: 16,
    numEmbeddings: [rows, rows],
    histograms: [skewed, even],
    budgetBytes: 400_000,
  });
  t.true(plan.tables[0].cacheRows >= 256 && plan.tables[0].cacheRows > 3 * plan.tables[1].cacheRows);
  t.is(plan.tables[0].cacheBytes, plan.tables[0].cacheRows * 68);
  t.true(plan.bytes <= 400_000);
});

test("int8 rows of a cache cost less each, so that a budget buys more lookups", (t) => {
  const histograms = [Float64Array.from({ length: 10_007 }, (_, i) => 1e6 / (i + 1))];
  const request = { embeddingDim: 13, numEmbeddings: [10_007], histograms, budgetBytes: 50_000 };
  const [floats, bytes] = (["float32", "int8"] as const).map(
    (cacheStorage) => planCompression({ ...request, cacheStorage }).tables[0],
  );
  t.true(bytes.cacheRows > floats.cacheRows);
  t.is(floats.cacheBytes, floats.cacheRows * (4 * 13 + 4));
  t.is(bytes.cacheBytes, bytes.cacheRows * (13 + 4 + 4));
  t.true(bytes.bytes + bytes.cacheBytes <= 50_000);
});

test("int8 cores buy a higher rank than float32 ones", (t) => {
  const rank = (storage: "int8" | "float32"): number =>
    Math.max(...(planCompression({ ...KAGGLE, budgetBytes: 1e7, storage }).tables[2].shape?.ranks ?? []));
  t.true(rank("int8") > rank("float32"));
});

test("compact shapes have the smallest factor in the middle, little padding, and never more parameters", (t) => {
  const compact = compactShape(10_131_227, [2, 2, 4], 32);
  t.true(compact[1] === Math.min(...compact));
  const count = (rowShape: readonly number[]): number =>
    parameterCount(createTTShape({ numEmbeddings: 10_131_227, embeddingDim: 16, rowShape, columnShape: [2, 2, 4], ranks: 32 }));
  t.is(count([200, 220, 250]), 495_360);
  // 240 x 176 x 240 of the fact sheet has 406,528.
  t.true(count(compact) <= 406_528, `${compact}`);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3_000_000 }),
      fc.constantFrom<number[][]>([4, 4], [2, 2, 4], [2, 2, 2, 3]),
      fc.nat({ max: 40 }),
      (n, q, r) => {
        const found = compactShape(n, q, r + 1);
        const of = (rowShape: readonly number[]): number =>
          parameterCount(
            createTTShape({ numEmbeddings: n, embeddingDim: q.reduce((a, b) => a * b), rowShape, columnShape: q, ranks: r + 1 }),
          );
        t.true(found.reduce((a, b) => a * b) >= n);
        t.true(of(found) <= of(suggestShape(n, q.length)));
      },
    ),
    { numRuns: 100 },
  );
  const plan = planCompression({ ...KAGGLE, tables: 7, ranks: 32, shapes: "compact" });
  t.true(plan.bytes < planCompression({ ...KAGGLE, tables: 7, ranks: 32 }).bytes);
  const [largest] = plan.tables.filter(({ numEmbeddings }) => numEmbeddings === 10_131_227);
  t.is(largest.paddingRows, compact.reduce((a, b) => a * b) - 10_131_227);
});

test("the knapsack keeps the budget and is within one step of the best of all combinations", (t) => {
  const choice = fc.record({ bytes: fc.integer({ min: 1, max: 60 }), value: fc.integer({ min: 0, max: 40 }) });
  const tables = fc.array(fc.array(choice, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(tables, fc.integer({ min: 1, max: 250 }), (lists, budget) => {
      const combinations = lists.reduce<number[][]>((all, list) => all.flatMap((one) => list.map((_, k) => [...one, k])), [[]]);
      const total = (of: "bytes" | "value", taken: number[]): number => sum(taken.map((k, t) => lists[t][k][of]));
      const fitting = combinations.filter((taken) => total("bytes", taken) <= budget);
      const found = fillKnapsack(lists, budget);
      t.is(found === undefined, fitting.length === 0);
      if (found === undefined) return;
      t.true(total("bytes", found) <= budget);
      const best = Math.max(...fitting.map((taken) => total("value", taken)));
      const step = Math.max(
        ...lists.map((list) => Math.max(...list.map(({ value }) => value)) - Math.min(...list.map(({ value }) => value))),
      );
      t.true(total("value", found) >= best - step, `${total("value", found)} of ${best}`);
    }),
    { numRuns: RUNS },
  );
});

test("the knapsack spends where a byte buys most, whatever the order of the tables", (t) => {
  const steps = (value: number) => Array.from({ length: 11 }, (_, k) => ({ bytes: 1 + k, value: k * value }));
  t.deepEqual(fillKnapsack([steps(1), steps(10)], 12), [0, 10]);
  t.deepEqual(fillKnapsack([steps(10), steps(1)], 12), [10, 0]);
  t.deepEqual(fillKnapsack([steps(1), steps(10)], 15), [3, 10]);
});
