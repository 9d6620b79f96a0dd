import test from "ava";
import fc from "fast-check";
import { AccessCounter } from "../src/index.ts";

const RUNS = process.env.TT_REC_LONG ? 2000 : 50;
const LARGEST_ID = 2 ** 32 - 2;

/** Ids from a small range, so that they repeat, and from the whole range; neighbours of powers of two among them. */
const id = fc.oneof(fc.nat(12), fc.integer({ min: 0, max: LARGEST_ID }), fc.constantFrom(2 ** 31 - 1, 2 ** 31, LARGEST_ID));

test("counts and their top k agree with a Map, ties going to the smaller id", (t) => {
  fc.assert(
    fc.property(fc.array(id, { maxLength: 300 }), id, fc.nat(30), (observed, other, k) => {
      const counter = new AccessCounter();
      const model = new Map<number, number>();
      const half = observed.length >> 1;
      counter.observe(Uint32Array.from(observed.slice(0, half)));
      counter.observe(Uint32Array.from(observed.slice(half)));
      for (const value of observed) model.set(value, (model.get(value) ?? 0) + 1);
      t.is(counter.size, model.size);
      t.deepEqual([...counter.ids], [...model.keys()]);
      t.deepEqual([...counter.counts], [...model.values()]);
      for (const value of [...observed, other]) t.is(counter.count(value), model.get(value) ?? 0);
      const ranked = [...model].sort(([a, m], [b, n]) => n - m || a - b).map(([value]) => value);
      t.deepEqual([...counter.top(k)], ranked.slice(0, k));
    }),
    { numRuns: RUNS },
  );
});

test("ids above 2^31 that tie are ordered without a sign", (t) => {
  const counter = new AccessCounter();
  counter.observe(Uint32Array.of(LARGEST_ID, 2 ** 31, 5, 2 ** 31 - 1, 7, 7));
  t.deepEqual([...counter.top(4)], [7, 5, 2 ** 31 - 1, 2 ** 31]);
});

test("top asks for none, for all, and for more than there are", (t) => {
  const counter = new AccessCounter();
  t.deepEqual([...counter.top(3)], []);
  counter.observe(Uint32Array.of(4, 2, 2));
  t.deepEqual([...counter.top(0)], []);
  t.deepEqual([...counter.top(2)], [2, 4]);
  t.deepEqual([...counter.top(9)], [2, 4]);
});

test("counts stop at 2^32 − 1 instead of starting again at 0", (t) => {
  const counter = new AccessCounter();
  counter.add(3, 2 ** 32 - 2);
  counter.observe(Uint32Array.of(3, 3, 3, 8));
  t.is(counter.count(3), 2 ** 32 - 1);
  t.deepEqual([...counter.top(1)], [3]);
});

test("a counter's bytes are those of ids, counts and slots, and grow with the distinct ids only", (t) => {
  const counter = new AccessCounter();
  t.is(counter.bytes, 4 * (8 + 8 + 16));
  for (let i = 0; i < 100; i++) counter.observe(Uint32Array.of(1, 2, 3));
  t.is(counter.bytes, 4 * (8 + 8 + 16));
  counter.observe(Uint32Array.from({ length: 9 }, (_, i) => i));
  t.is(counter.bytes, 4 * (16 + 16 + 32));
});
