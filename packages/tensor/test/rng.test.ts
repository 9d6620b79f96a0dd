import { createRng, type Rng, shuffleInPlace } from "@tt-rec/tensor";
import { allClose } from "@tt-rec/testing";
import test from "ava";

const MASK64 = (1n << 64n) - 1n;
const SEEDS: [number, number][] = [
  [0, 0],
  [1, 0],
  [0, 1],
  [2 ** 32 - 1, 7],
  [123456789, 26],
];

/** The generator by its definition in 64-bit words: Blackman and Vigna's xoroshiro128+ with the constants 24, 16, 37. */
type State = readonly [bigint, bigint];

function advance([s0, s1]: State): State {
  const rotate = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (64n - k))) & MASK64;
  const x = s0 ^ s1;
  return [rotate(s0, 24n) ^ x ^ ((x << 16n) & MASK64), rotate(x, 37n)];
}

/** The finaliser of splitmix32 with its multiplications in arbitrary precision. */
function mix(value: bigint): bigint {
  const low = (x: bigint): bigint => x & 0xffffffffn;
  let z = low(value);
  z = low((z ^ (z >> 16n)) * 0x21f0aaadn);
  z = low((z ^ (z >> 15n)) * 0x735a2d97n);
  return z ^ (z >> 15n);
}

function seeded(seed: number, stream: number): State {
  const [high0, low0, high1, low1] = [1n, 2n, 3n, 4n].map(
    (word) => mix(BigInt(seed) + word * 0x9e3779b9n) ^ mix(mix(BigInt(stream)) + word),
  );
  return [(high0 << 32n) | low0, (high1 << 32n) | low1];
}

function draws(state: State, count: number): number[] {
  const result: number[] = [];
  for (let i = 0, now = state; i < count; i++, now = advance(now)) result.push(Number((now[0] + now[1]) & 0xffffffffn));
  return result;
}

/** `advance` 2^64 times: it is linear over bits, so 64 squarings of its matrix do. */
function advanceFar(state: State): State {
  const split = (bits: bigint): State => [bits & MASK64, bits >> 64n];
  const join = ([s0, s1]: State): bigint => s0 | (s1 << 64n);
  let columns = Array.from({ length: 128 }, (_, bit) => join(advance(split(1n << BigInt(bit)))));
  const apply = (vector: bigint): bigint => {
    let result = 0n;
    for (let bit = 0, rest = vector; rest !== 0n; bit++, rest >>= 1n) if (rest & 1n) result ^= columns[bit];
    return result;
  };
  for (let i = 0; i < 64; i++) columns = columns.map(apply);
  return split(apply(join(state)));
}

function take(rng: Rng, count: number): number[] {
  return Array.from({ length: count }, () => rng.uint32());
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

function correlation(a: number[], b: number[]): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  const covariance = (x: number[], mx: number, y: number[], my: number): number => mean(x.map((v, i) => (v - mx) * (y[i] - my)));
  return covariance(a, meanA, b, meanB) / Math.sqrt(covariance(a, meanA, a, meanA) * covariance(b, meanB, b, meanB));
}

test("the numbers are those of xoroshiro128+ in 64-bit arithmetic", (t) => {
  for (const [seed, stream] of SEEDS) t.deepEqual(take(createRng(seed, stream), 1009), draws(seeded(seed, stream), 1009));
});

test("the numbers stay what they were in the first release", (t) => {
  t.deepEqual(take(createRng(0), 4), [3312133660, 1752169172, 3100428950, 4098472501]);
  t.deepEqual(take(createRng(42, 3), 4), [4112225603, 2439534946, 828568538, 3273689251]);
  const rng = createRng(42, 3);
  t.deepEqual([rng.uniform(), rng.normal(), rng.normal()], [0.27693657839226327, -1.1825230253312338, -1.5540837160130314]);
});

test("a jump is 2^64 draws ahead, and does not move the generator it starts from", (t) => {
  const [seed, stream] = [7, 11];
  const rng = createRng(seed, stream);
  const ahead = rng.jump();
  t.deepEqual(take(ahead, 101), draws(advanceFar(seeded(seed, stream)), 101));
  t.deepEqual(take(rng, 101), draws(seeded(seed, stream), 101));
});

test("a generator, its jumps and its other streams have no run of three numbers in common", (t) => {
  const rng = createRng(5);
  const seen = new Map<string, number>();
  for (const [source, one] of [rng.jump(), rng.jump().jump(), createRng(5, 1), createRng(6), rng].entries()) {
    const numbers = take(one, 20_011);
    for (let i = 2; i < numbers.length; i++) {
      const key = `${numbers[i - 2]} ${numbers[i - 1]} ${numbers[i]}`;
      if (seen.has(key)) t.fail(`generators ${seen.get(key)} and ${source} share ${key}`);
      seen.set(key, source);
    }
  }
  t.pass();
});

test("only the low 32 bits of seed and stream count", (t) => {
  t.deepEqual(take(createRng(5 + 2 ** 32, 3 + 2 ** 33), 5), take(createRng(5, 3), 5));
  t.deepEqual(take(createRng(-1), 5), take(createRng(2 ** 32 - 1), 5));
});

test("neighbouring seeds and streams are uncorrelated", (t) => {
  const count = 10_007;
  const uniforms = (seed: number, stream: number): number[] => {
    const rng = createRng(seed, stream);
    return Array.from({ length: count }, () => rng.uniform());
  };
  const bound = 5 / Math.sqrt(count);
  for (const [seed, stream] of SEEDS) {
    t.true(Math.abs(correlation(uniforms(seed, stream), uniforms(seed + 1, stream))) < bound);
    t.true(Math.abs(correlation(uniforms(seed, stream), uniforms(seed, stream + 1))) < bound);
  }
  // The first number of each of many seeds in a row must look like any sequence too.
  const firsts = Array.from({ length: count }, (_, seed) => createRng(seed).uniform());
  t.true(Math.abs(correlation(firsts.slice(1), firsts.slice(0, -1))) < bound);
  t.true(Math.abs(mean(firsts) - 0.5) < 5 / Math.sqrt(12 * count));
});

test("uniform fills [0, 1) evenly", (t) => {
  const [rng, count, bins] = [createRng(17), 200_003, 64];
  const filled = new Array<number>(bins).fill(0);
  for (let i = 0; i < count; i++) {
    const x = rng.uniform();
    if (!(x >= 0 && x < 1)) t.fail(`${x}`);
    filled[Math.floor(x * bins)]++;
  }
  const chiSquare = filled.reduce((sum, n) => sum + (n - count / bins) ** 2 / (count / bins), 0);
  t.true(chiSquare < 63 + 5 * Math.sqrt(2 * 63), `chi-square ${chiSquare} of 63 degrees of freedom`);
});

test("normal has the moments and the tail of the standard normal distribution", (t) => {
  const [rng, count] = [createRng(19), 400_009];
  const values = Float64Array.from({ length: count }, () => rng.normal());
  const moment = (k: number): number => mean(values.map((x) => x ** k));
  // Five standard errors of each moment: sqrt(var(x^k) / n).
  const bound = (variance: number): number => 5 * Math.sqrt(variance / count);
  t.true(Math.abs(moment(1)) < bound(1));
  t.true(Math.abs(moment(2) - 1) < bound(2));
  t.true(Math.abs(moment(3)) < bound(15));
  t.true(Math.abs(moment(4) - 3) < bound(96));
  const tail = values.filter((x) => Math.abs(x) >= 2);
  allClose(t, [tail.length / count], [0.0455], 0.04);
  allClose(t, [mean(tail.map((x) => x * x))], [5.746431], 0.02);
});

test("a shuffle gives each order of the items equally often, and keeps them all", (t) => {
  const [rng, count] = [createRng(23), 60_013];
  const orders = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const order = shuffleInPlace(["a", "b", "c"], rng).join("");
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  t.is(orders.size, 6);
  const chiSquare = [...orders.values()].reduce((sum, n) => sum + (n - count / 6) ** 2 / (count / 6), 0);
  t.true(chiSquare < 5 + 5 * Math.sqrt(2 * 5), `chi-square ${chiSquare} of 5 degrees of freedom`);
  const ids = Uint32Array.from({ length: 101 }, (_, id) => id);
  t.is(shuffleInPlace(ids, rng), ids);
  t.deepEqual(
    ids.toSorted(),
    Uint32Array.from({ length: 101 }, (_, id) => id),
  );
});
