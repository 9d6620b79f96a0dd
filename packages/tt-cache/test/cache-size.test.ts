import { Runtime } from "@tt-rec/tensor";
import test from "ava";
import fc from "fast-check";
import { resolveCacheRows } from "../src/cache-size.ts";
import { CachedTTEmbeddingBag, type CacheSizeOptions } from "../src/index.ts";
import { randomCores, SHAPES } from "./overlay-oracle.ts";

const TABLE = { numEmbeddings: 10_007, embeddingDim: 13 };

test("the most rows within the bytes are taken, and one more would not fit", async (t) => {
  const runtime = await Runtime.create();
  const [shape] = SHAPES;
  const bytesOf = (cacheRows: number): number => {
    const options = { shape, cores: randomCores(shape, 1), warmupSteps: 1, refreshEvery: 1, policy: "semi-dynamic" as const };
    const [bag, empty] = [cacheRows, 1].map((rows) => new CachedTTEmbeddingBag(runtime, { ...options, cacheRows: rows }));
    // What both have, and the bytes of one row, its id, its accesses and four pairs.
    const bytes = bag.metrics.bytes - empty.metrics.bytes + 4 * 15 + 8 + 32;
    for (const each of [bag, empty]) each.dispose();
    return bytes;
  };
  for (const bytes of [100, 101, 199, 200, 399, 2000, 7001]) {
    const rows = resolveCacheRows({ cacheBytes: bytes }, shape);
    t.true(bytesOf(rows) <= bytes, `${rows} rows in ${bytes} bytes`);
    if (rows < 76) t.true(bytesOf(rows + 1) > bytes);
  }
  t.is(resolveCacheRows({ cacheBytes: 1e9 }, shape), 76);
});

test("a share of the rows is rounded down, and is at least one", (t) => {
  fc.assert(
    fc.property(fc.double({ min: 1e-9, max: 1, noNaN: true }), (cacheShare) => {
      t.is(resolveCacheRows({ cacheShare }, TABLE), Math.max(1, Math.floor(cacheShare * 10_007)));
    }),
  );
});

test("no size, two sizes, and sizes that no cache has are refused", (t) => {
  const refused: [CacheSizeOptions, RegExp][] = [
    [{}, /exactly one of cacheRows, cacheBytes and cacheShare is needed; given is none/],
    [{ cacheRows: 3, cacheShare: 0.1 }, /given is cacheRows, cacheShare/],
    [{ cacheRows: 0 }, /cacheRows = 0 is not a whole number from 1 to the number of embeddings, 10007/],
    [{ cacheRows: 10_008 }, /cacheRows = 10008/],
    [{ cacheBytes: 91 }, /cacheBytes = 91 is below the 92 bytes of one row/],
    [{ cacheBytes: Number.NaN }, /cacheBytes = NaN/],
    [{ cacheShare: 0 }, /cacheShare = 0 is not above 0 and at most 1/],
    [{ cacheShare: 1.1 }, /cacheShare = 1.1/],
    [{ cacheShare: Number.NaN }, /cacheShare = NaN/],
  ];
  for (const [options, message] of refused) t.throws(() => resolveCacheRows(options, TABLE), { code: "E_OPTION", message });
});
