import test from "ava";
import fc from "fast-check";
import { finish } from "../src/spread-work.ts";
import { leastCounted, mostCounted } from "../src/top-rows.ts";

const RUNS = process.env.TT_REC_LONG ? 5000 : 200;

/** Ids over the whole range with counts that often tie, some beyond the histogram. */
const COUNTED = fc.uniqueArray(
  fc.record({
    id: fc.oneof(fc.nat(3000), fc.integer({ min: 2 ** 31, max: 2 ** 32 - 2 })),
    count: fc.oneof({ weight: 9, arbitrary: fc.nat(5) }, fc.integer({ min: 4000, max: 4200 }), fc.constant(2 ** 32 - 1)),
  }),
  { selector: ({ id }) => id, maxLength: 300 },
);

test("the most and the least counted are those of a sorted list, however many tie", (t) => {
  fc.assert(
    fc.property(COUNTED, fc.nat(80), fc.constantFrom(0, 1, 3, 4100), (entries, k, above) => {
      const [ids, counts] = [Uint32Array.from(entries, ({ id }) => id), Uint32Array.from(entries, ({ count }) => count)];
      const most = entries.filter(({ count }) => count > above).sort((a, b) => b.count - a.count || a.id - b.id);
      const least = [...entries].sort((a, b) => a.count - b.count || b.id - a.id);
      for (const [found, sorted] of [
        [finish(mostCounted(ids, counts, k, above)), most],
        [finish(leastCounted(ids, counts, k)), least],
      ] as const) {
        t.deepEqual(
          [...found.ids].map((id, i) => ({ id, count: found.counts[i] })),
          sorted.slice(0, k),
        );
      }
    }),
    { numRuns: RUNS },
  );
});

test("of thousands of ids that tie, the smallest ids are the most counted and the largest the least", (t) => {
  const ids = Uint32Array.from({ length: 20_011 }, (_, i) => (i * 7919) % 20_011);
  const counts = new Uint32Array(ids.length).fill(2);
  t.deepEqual(
    finish(mostCounted(ids, counts, 997)).ids,
    Uint32Array.from({ length: 997 }, (_, i) => i),
  );
  t.deepEqual(
    finish(leastCounted(ids, counts, 997)).ids,
    Uint32Array.from({ length: 997 }, (_, i) => 20_010 - i),
  );
});
