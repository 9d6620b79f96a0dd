import { IdIndex, mixBits } from "@tt-rec/tensor";
import test from "ava";
import fc from "fast-check";

const RUNS = process.env.TT_REC_LONG ? 2000 : 50;
const LARGEST_ID = 2 ** 32 - 1;

/** Ids from a small range, so that they repeat, and from the whole range; neighbours of powers of two among them. */
const id = fc.oneof(fc.nat(12), fc.integer({ min: 0, max: LARGEST_ID }), fc.constantFrom(2 ** 31 - 1, 2 ** 31, LARGEST_ID));

test("an id index numbers ids in order of their addition, as a Map does, through growth and for all 32 bits", (t) => {
  fc.assert(
    fc.property(
      fc.array(id, { maxLength: 300 }),
      fc.array(id, { maxLength: 20 }),
      fc.integer({ min: 0, max: 40 }),
      (added, asked, capacity) => {
        const index = new IdIndex(capacity);
        const model = new Map<number, number>();
        for (const value of added) {
          if (!model.has(value)) model.set(value, model.size);
          t.is(index.add(value), model.get(value) ?? -1);
        }
        t.is(index.size, model.size);
        t.deepEqual([...index.ids], [...model.keys()]);
        for (const value of [...asked, ...added]) t.is(index.numberOf(value), model.get(value) ?? -1);
      },
    ),
    { numRuns: RUNS },
  );
});

test("an id index finds ids that collide, and stays at most half full", (t) => {
  const index = new IdIndex(1);
  const ids = Array.from({ length: 5000 }, (_, i) => (i % 4096) * 2 ** 20);
  const distinct = [...new Set(ids)];
  for (const value of ids) index.add(value);
  t.deepEqual([...index.ids], distinct);
  t.true(distinct.every((value, number) => index.numberOf(value) === number));
  t.is(index.numberOf(3), -1);
  // 4096 ids of 4 bytes, and twice as many slots.
  t.is(distinct.length, 4096);
  t.is(index.bytes, 4096 * 4 + 8192 * 4);
});

test("mixBits is MurmurHash3's finaliser, and sends no two words of a range to one", (t) => {
  // fmix32 of 1 and of 2^32 − 1 by the reference implementation.
  t.is(mixBits(1) >>> 0, 0x514e28b7);
  t.is(mixBits(0xffffffff) >>> 0, 0x81f16f39);
  t.is(mixBits(0), 0);
  t.is(new Set(Array.from({ length: 1 << 16 }, (_, word) => mixBits(word))).size, 1 << 16);
});
