import test from "ava";
import fc from "fast-check";
import { partitionShape } from "../bench/partition-shape.ts";
import { KAGGLE_CARDINALITIES, suggestShape, TERABYTE_CARDINALITIES } from "../src/index.ts";

const RUNS = process.env.TT_REC_LONG ? 2000 : 50;

test("the paper's row factors come out", (t) => {
  const expected: [number, string][] = [
    [10131227, "200,220,250"],
    [8351593, "200,200,209"],
    [7046547, "200,200,200"],
    [5461306, "166,175,188"],
    [2202608, "125,130,136"],
    [286181, "53,72,75"],
    [142572, "50,52,55"],
    [9994222, "200,200,250"],
    [9980333, "200,222,225"],
    [9946608, "200,203,245"],
    [9758201, "203,209,230"],
    [7267859, "200,200,200"],
    [1333352, "125,125,128"],
    [415421, "70,75,80"],
    [93145, "45,45,46"],
    [5000000, "125,200,200"],
    [10000000, "200,200,250"],
    [11000000, "200,220,250"],
    [1000000, "100,100,100"],
    [100, "4,5,5"],
    [10, "1,2,5"],
    [820508, "90,100,100"],
    [25000, "25,30,40"],
    [96, "4,5,5"],
    [128, "5,5,8"],
  ];
  for (const [size, factors] of expected) t.is(suggestShape(size, 3).join(), factors, `${size}`);
});

test("two and four factors come out in the reference's order", (t) => {
  t.deepEqual(suggestShape(10131227, 2), [3120, 3250]);
  t.deepEqual(suggestShape(7046547, 2), [2610, 2700]);
  t.deepEqual(suggestShape(142572, 2), [375, 400]);
  t.deepEqual(suggestShape(24, 2), [5, 6]);
  t.deepEqual(suggestShape(32, 2), [5, 8]);
  t.deepEqual(suggestShape(10131227, 4), [50, 60, 52, 65]);
  t.deepEqual(suggestShape(9994222, 4), [50, 50, 50, 80]);
});

test("exact factors of rows and dimensions come out, primes with ones", (t) => {
  const exact = (size: number, d: number): string => suggestShape(size, d, { roundUp: false }).join();
  t.is(exact(10131227, 3), "1,1,10131227");
  t.is(exact(5461306, 3), "2,47,58099");
  t.is(exact(142572, 3), "12,109,109");
  const dims = [16, 24, 32, 64, 128].map((size) => [2, 3, 4].map((d) => exact(size, d)));
  t.deepEqual(dims, [
    ["4,4", "2,2,4", "2,2,2,2"],
    ["4,6", "2,3,4", "2,2,2,3"],
    ["4,8", "2,4,4", "2,2,2,4"],
    ["8,8", "4,4,4", "2,4,2,4"],
    ["8,16", "4,4,8", "2,4,4,4"],
  ]);
  t.is(exact(1, 3), "1,1,1");
});

test("the smallest round-up wins a tie of entropies", (t) => {
  t.deepEqual(suggestShape(970299, 3), [99, 99, 99]);
});

test("results equal the search over all partitions of the prime factors", (t) => {
  const same = (size: number, d: number, roundUp: boolean): void => {
    t.is(suggestShape(size, d, { roundUp }).join(), partitionShape(size, d, roundUp).join(), `${size} ${d} ${roundUp}`);
  };
  fc.assert(fc.property(fc.integer({ min: 1, max: 200_000 }), fc.integer({ min: 2, max: 5 }), fc.boolean(), same), {
    numRuns: RUNS,
  });
  // Products of small and middling primes have many near-optimal shapes.
  const smooth = fc.array(fc.constantFrom<number[]>(2, 2, 3, 3, 5, 7, 11, 13), { minLength: 5, maxLength: 8 });
  const roughPrime = fc.constantFrom<number[]>(1, 17, 53, 101, 499);
  fc.assert(
    fc.property(smooth, roughPrime, fc.integer({ min: 3, max: 5 }), (primes, rough, d) => {
      const size = primes.reduce((a, b) => a * b, rough);
      if (size < 2 ** 32) same(size, d, false);
    }),
    { numRuns: 4 * RUNS },
  );
});

test("no size of the data sets, large prime or highly composite number takes 50 ms", (t) => {
  const sizes = [...KAGGLE_CARDINALITIES, ...TERABYTE_CARDINALITIES, 4294967291, 4294967295, 3491888400, 2 ** 31 - 1];
  suggestShape(1000, 3);
  for (const d of [2, 3, 4, 5]) {
    for (const size of sizes) {
      // The best of three, since the machine may be busy.
      const times = [0, 1, 2].map(() => {
        const start = performance.now();
        suggestShape(size, d);
        return performance.now() - start;
      });
      t.true(Math.min(...times) < 50, `${size} in ${d}: ${times}`);
    }
  }
});

test("sizes and numbers of factors out of range are refused", (t) => {
  t.throws(() => suggestShape(0, 3), { code: "E_OPTION", message: "size = 0 is not an integer from 1 to 4294967295" });
  t.throws(() => suggestShape(2 ** 32, 3), {
    code: "E_OPTION",
    message: "size = 4294967296 is not an integer from 1 to 4294967295",
  });
  t.throws(() => suggestShape(10, 1), { code: "E_OPTION", message: "d = 1 is not an integer of at least 2" });
});
