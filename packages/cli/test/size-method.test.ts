import { Dlrm, type DlrmConfig } from "@tt-rec/dlrm";
import { createRng, Runtime } from "@tt-rec/tensor";
import test from "ava";
import fc from "fast-check";
import { allotHottest } from "../src/compare/allot-hottest.ts";
import { METHODS, type Method } from "../src/compare/methods.ts";
import { type SizeRequest, sizeMethod } from "../src/compare/size-method.ts";

const RUNS = process.env.TT_REC_LONG ? 1000 : 60;
const ROWS = [6041, 37, 3707, 911];
const D = 12;
const FULL = ROWS.reduce((sum, n) => sum + 4 * n * D, 0);

const COUNTS = ROWS.map((n, t) => Float64Array.from({ length: n }, (_, i) => Math.floor(5000 / (i + 1 + t))));

const request = (budgetBytes: number, cacheStorage: SizeRequest["cacheStorage"] = "float32"): SizeRequest => ({
  ...{ rows: ROWS, counts: COUNTS, embeddingDim: D, budgetBytes, shapes: "suggested", cachePart: 0.5, cacheStorage },
});

const SIZED = METHODS.filter((method) => method !== "dense" && method !== "removed");

test("the bytes of a size are those of the model that it makes, for every method and budget", async (t) => {
  const runtime = await Runtime.create({ threads: 1 });
  for (const method of METHODS) {
    for (const ratio of [3, 10, 50]) {
      const { tables, bytes } = sizeMethod(method, request(FULL / ratio));
      const config: DlrmConfig = {
        ...{ denseFeatures: 2, embeddingDim: D, bottomMlp: [D], topMlp: [1], interaction: { kind: "cat" } },
        tables: tables.map(({ embedding }, i) => ({ name: `t${i}`, numEmbeddings: ROWS[i], embedding })),
      };
      const model = new Dlrm(runtime, config, createRng(1));
      const cached = tables.reduce((sum, { cacheRows }) => sum + cacheRows * (4 * D + 4), 0);
      t.is(model.embeddingParameterBytes + cached, bytes, `${method} at ${ratio}x`);
      model.dispose();
    }
  }
  await runtime.close();
});

for (const method of SIZED) {
  test(`${method}: fills a budget that it can reach, and says when it cannot`, (t) => {
    const least = sizeMethod(method, request(0));
    t.false(least.isReached);
    t.true(least.bytes > 0 && least.bytes < FULL);
    // Sizes are coarse for few tables; at 4x all methods have one near it.
    const { bytes, isReached } = sizeMethod(method, request(FULL / 4));
    t.true(isReached && bytes > FULL / 4 / 1.5, `${bytes} of ${FULL / 4}`);
    t.is(sizeMethod(method, request(least.bytes - 1)).bytes, least.bytes);
  });

  test(`${method}: more bytes never give a smaller size, and what fits is within the budget`, (t) => {
    const least = sizeMethod(method, request(0)).bytes;
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1.2, noNaN: true }), fc.double({ min: 0, max: 1.2, noNaN: true }), (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)].map((share) => sizeMethod(method, request(share * FULL)));
        t.true(low.bytes <= high.bytes, `${low.bytes} ${high.bytes}`);
        for (const [size, share] of [
          [low, Math.min(a, b)],
          [high, Math.max(a, b)],
        ] as const) {
          t.is(size.isReached, size.bytes <= share * FULL);
          if (!size.isReached) t.is(size.bytes, least);
        }
      }),
      { numRuns: RUNS },
    );
  });
}

test("uncompressed and removed tables have one size", (t) => {
  const bytes = (method: Method, budget: number): number => sizeMethod(method, request(budget)).bytes;
  t.is(bytes("dense", 10), FULL);
  t.is(bytes("removed", 10), 0);
});

test("places go to the most accessed rows of all tables", (t) => {
  t.deepEqual(allotHottest([[5, 1, 4], [9], [3, 3, 3, 3]], 5), [2, 1, 2]);
  t.deepEqual(allotHottest([[5, 1, 4], [9], [3, 3, 3, 3]], 100), [3, 1, 4]);
  t.deepEqual(allotHottest([[5, 1, 4], [9], [3, 3, 3, 3]], 0), [1, 1, 1]);
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.nat(6), { minLength: 1, maxLength: 9 }), { minLength: 1, maxLength: 4 }),
      fc.nat(40),
      (tables, total) => {
        const places = allotHottest(tables, total);
        const all = tables.reduce((sum, { length }) => sum + length, 0);
        const sum = places.reduce((a, b) => a + b, 0);
        t.is(sum, Math.max(tables.length, Math.min(total, all)));
        const falling = tables.map((table) => [...table].sort((a, b) => b - a));
        // No row without a place is accessed more often than one with a place, the first of each table aside.
        const kept = falling.flatMap((table, i) => table.slice(1, places[i]));
        const left = falling.flatMap((table, i) => table.slice(places[i]));
        if (kept.length > 0 && left.length > 0) t.true(Math.min(...kept) >= Math.max(...left));
      },
    ),
    { numRuns: RUNS },
  );
});

test("int8 rows take the bytes of a smaller row each, so that a budget holds more of them", (t) => {
  const [floats, bytes] = (["float32", "int8"] as const).map((storage) => sizeMethod("tt-cached", request(FULL / 10, storage)));
  const rows = ({ tables }: typeof floats): number => tables.reduce((sum, { cacheRows }) => sum + cacheRows, 0);
  t.is(bytes.bytes - floats.bytes, rows(bytes) * (D + 4 + 4) - rows(floats) * (4 * D + 4));
  t.is(rows(bytes), Math.floor((rows(floats) * (4 * D + 4) + FULL / 10 - floats.bytes) / (D + 8)));
});
