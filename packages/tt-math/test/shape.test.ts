import { isTtError } from "@tt-rec/tensor";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import {
  compressionRatio,
  coreBytes,
  coreShape,
  createTTShape,
  parameterCount,
  rowDigits,
  rowIndex,
  type TTShapeOptions,
} from "../src/index.ts";

const RUNS = process.env.TT_REC_LONG ? 2000 : 50;

/** Asserts that `action` throws a TtError of this code whose sentence is exactly this. */
function failsWith(t: ExecutionContext, action: () => unknown, code: string, message: string): void {
  const error = t.throws(action);
  t.true(isTtError(error));
  t.deepEqual({ code: (error as Error & { code: string }).code, message: error?.message }, { code, message });
}

test("the published index splits hold", (t) => {
  t.deepEqual(rowDigits(1234567, [100, 200, 250]), [24, 138, 67]);
  t.deepEqual(rowDigits(4999999, [100, 200, 250]), [99, 199, 249]);
  t.deepEqual(rowDigits(10131226, [200, 220, 250]), [184, 44, 226]);
});

test("digits and index are inverse for ids up to 2^32 − 2", (t) => {
  const factor = fc.integer({ min: 1, max: 2000 });
  fc.assert(
    fc.property(
      fc.array(factor, { minLength: 2, maxLength: 5 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (rowShape, share) => {
        const rows = Math.min(
          rowShape.reduce((a, b) => a * b, 1),
          2 ** 32 - 1,
        );
        const index = Math.min(Math.floor(share * rows), rows - 1);
        const digits = rowDigits(index, rowShape);
        const strides = rowShape.map((_, k) => rowShape.slice(k + 1).reduce((a, b) => a * b, 1));
        t.is(rowIndex(digits, rowShape), index);
        t.is(
          digits.reduce((sum, digit, k) => sum + digit * strides[k], 0),
          index,
        );
        t.true(digits.every((digit, k) => digit >= 0 && digit < rowShape[k]));
      },
    ),
    { numRuns: RUNS },
  );
  t.deepEqual(rowDigits(2 ** 32 - 2, [65536, 65536]), [65535, 65534]);
});

test("ids and digits out of range are refused with their numbers", (t) => {
  const range = "is not an integer from 0 to 29 (rowShape = 2 x 3 x 5)";
  for (const index of [30, -1, 1.5, Number.NaN]) {
    failsWith(t, () => rowDigits(index, [2, 3, 5]), "E_INDEX", `index ${index} ${range}`);
  }
  failsWith(t, () => rowIndex([1, 3, 0], [2, 3, 5]), "E_INDEX", "digits[1] = 3 is not an integer from 0 to 2");
  failsWith(t, () => rowIndex([1, 2], [2, 3, 5]), "E_INDEX", "2 digits for the 3 factors of rowShape");
});

test("a rank bound is clipped at each bond to its smaller side", (t) => {
  const shape = createTTShape({ numEmbeddings: 30, embeddingDim: 14, rowShape: [2, 3, 5], columnShape: [2, 7, 1], ranks: 1000 });
  t.deepEqual(shape.ranks, [1, 4, 5, 1]);
  t.deepEqual(createTTShape({ ...shape, ranks: 3 }).ranks, [1, 3, 3, 1]);
  t.deepEqual(createTTShape({ ...shape, ranks: [3, 5] }).ranks, [1, 3, 5, 1]);
});

test("shapes default to three cores and the suggested factors, and are plain data", (t) => {
  const shape = createTTShape({ numEmbeddings: 10131227, embeddingDim: 16, ranks: 16 });
  t.deepEqual(JSON.parse(JSON.stringify(shape)), {
    numEmbeddings: 10131227,
    embeddingDim: 16,
    rowShape: [200, 220, 250],
    columnShape: [2, 2, 4],
    ranks: [1, 16, 16, 1],
  });
  t.deepEqual(createTTShape({ numEmbeddings: 10131227, embeddingDim: 16, ranks: 16, cores: 4 }).rowShape, [50, 60, 52, 65]);
  t.deepEqual(createTTShape({ numEmbeddings: 12, embeddingDim: 16, ranks: 2, rowShape: [3, 4] }).columnShape, [4, 4]);
});

test("sizes follow from the core shapes and the real number of rows", (t) => {
  const shape = createTTShape({
    numEmbeddings: 28,
    embeddingDim: 14,
    rowShape: [2, 3, 5],
    columnShape: [2, 7, 1],
    ranks: [3, 5],
  });
  t.deepEqual(
    [0, 1, 2].map((k) => coreShape(shape, k)),
    [
      [2, 1, 2, 3],
      [3, 3, 7, 5],
      [5, 5, 1, 1],
    ],
  );
  t.is(parameterCount(shape), 12 + 315 + 25);
  t.is(coreBytes(shape), 4 * 352);
  t.is(compressionRatio(shape), (28 * 14) / 352);
});

test("the published parameter counts and ratios of single tables hold", (t) => {
  const cases = [
    {
      rows: 5_000_000,
      p: [100, 200, 250],
      q: [4, 2, 3],
      counts: { 1: 1550, 2: 3900, 4: 11000, 8: 34800, 16: 120800, 32: 446400, 64: 1712000 },
    },
    { rows: 10_000_000, p: [200, 200, 250], q: [2, 2, 4], counts: { 8: 36800, 16: 124800, 32: 454400, 64: 1728000 } },
    { rows: 10_131_227, p: [200, 220, 250], q: [2, 2, 4], counts: { 8: 39360, 16: 135040, 32: 495360, 64: 1891840 } },
  ];
  const ratios = ["77419.4", "30769.2", "10909.1", "3448.3", "993.4", "268.8", "70.1"]
    .concat(["4347.8", "1282.1", "352.1", "92.6"])
    .concat(["4118.4", "1200.4", "327.2", "85.7"]);
  const measured: string[] = [];
  for (const { rows, p, q, counts } of cases) {
    const embeddingDim = q.reduce((a, b) => a * b);
    for (const [rank, count] of Object.entries(counts)) {
      const shape = createTTShape({ numEmbeddings: rows, embeddingDim, rowShape: p, columnShape: q, ranks: Number(rank) });
      t.is(parameterCount(shape), count);
      measured.push(compressionRatio(shape).toFixed(1));
    }
  }
  t.deepEqual(measured, ratios);
});

test("shapes that do not fit are refused with the rule and the numbers", (t) => {
  const good: TTShapeOptions = { numEmbeddings: 30, embeddingDim: 14, rowShape: [2, 3, 5], columnShape: [2, 7, 1], ranks: 2 };
  const cases: [Partial<TTShapeOptions>, string, string][] = [
    [{ numEmbeddings: 31 }, "E_SHAPE", "rowShape 2 x 3 x 5 = 30 is less than numEmbeddings = 31"],
    [{ embeddingDim: 15 }, "E_SHAPE", "columnShape 2 x 7 x 1 = 14 is not embeddingDim = 15"],
    [{ numEmbeddings: 2 ** 32 }, "E_OPTION", "numEmbeddings = 4294967296 exceeds 4294967295, the largest that uint32 ids allow"],
    [{ numEmbeddings: 0 }, "E_OPTION", "numEmbeddings = 0 is not a positive integer"],
    [{ embeddingDim: 1.5 }, "E_OPTION", "embeddingDim = 1.5 is not a positive integer"],
    [{ rowShape: [2, -3, 5] }, "E_OPTION", "rowShape[1] = -3 is not a positive integer"],
    [{ rowShape: [30] }, "E_OPTION", "a TT shape has an integer of at least 2 cores, not 1"],
    [{ columnShape: [2, 7] }, "E_SHAPE", "columnShape has 2 factors for 3 cores"],
    [{ cores: 4 }, "E_SHAPE", "rowShape has 3 factors for 4 cores"],
    [{ ranks: 0 }, "E_OPTION", "ranks = 0 is not a positive integer"],
    [{ ranks: [2, 2.5] }, "E_OPTION", "ranks[1] = 2.5 is not a positive integer"],
    [{ ranks: [1, 2, 2, 1] }, "E_SHAPE", "ranks has 4 entries, 3 cores need 2 inner ranks"],
    [{ ranks: [5, 2] }, "E_SHAPE", "ranks[0] = 5 exceeds 4, the smaller side of that bond"],
  ];
  for (const [change, code, message] of cases) failsWith(t, () => createTTShape({ ...good, ...change }), code, message);
});
