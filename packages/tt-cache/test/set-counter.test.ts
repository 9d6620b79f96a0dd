import { createRng, mixBits, Runtime } from "@tt-rec/tensor";
import test from "ava";
import fc from "fast-check";
import { SetCounter } from "../src/index.ts";
import { finish } from "../src/spread-work.ts";

const RUNS = process.env.TT_REC_LONG ? 2000 : 50;
const LARGEST_ID = 2 ** 32 - 2;

/** A counter by its definition: lists of at most eight ids with their counts, in order of their places. */
class Model {
  readonly sets: [number, number][][];
  total = 0;

  constructor(sets: number) {
    this.sets = Array.from({ length: sets }, () => Array.from({ length: 8 }, (): [number, number] => [-1, 0]));
  }

  setOf(id: number): [number, number][] {
    return this.sets[Math.floor(((mixBits(id) >>> 0) / 2 ** 32) * this.sets.length)];
  }

  observe(id: number): void {
    this.total++;
    const set = this.setOf(id);
    const own = set.findIndex(([each]) => each === id);
    if (own >= 0) set[own][1]++;
    else set[set.findIndex(([, count]) => count === Math.min(...set.map(([, each]) => each)))] = [id, 1];
  }

  halve(): void {
    this.total = Math.floor(this.total / 2);
    for (const set of this.sets) for (const [i, [id, count]] of set.entries()) set[i] = count > 1 ? [id, count >> 1] : [-1, 0];
  }

  get ranked(): number[] {
    const entries = this.sets.flat().filter(([, count]) => count > 0);
    return entries.sort(([a, m], [b, n]) => n - m || a - b).map(([id]) => id);
  }
}

test("counts, their top k and the total agree with lists of eight, over accesses and halvings, on kernels and without", async (t) => {
  const runtime = await Runtime.create();
  const id = fc.oneof({ weight: 9, arbitrary: fc.nat(60) }, fc.constantFrom(2 ** 31 - 1, 2 ** 31, LARGEST_ID));
  fc.assert(
    fc.property(fc.array(fc.oneof({ weight: 30, arbitrary: id }, fc.constant("halve" as const)), { maxLength: 400 }), (steps) => {
      const counters = [new SetCounter(20), new SetCounter(20, runtime)];
      const model = new Model(3);
      for (const step of steps) {
        if (step === "halve") {
          for (const counter of counters) counter.halve();
          model.halve();
        } else {
          for (const counter of counters) counter.observe(Uint32Array.of(step));
          model.observe(step);
        }
      }
      for (const counter of counters) {
        t.is(counter.total, model.total);
        for (const step of new Set(steps)) {
          if (step === "halve") continue;
          t.is(counter.count(step), model.setOf(step).find(([each]) => each === step)?.[1] ?? 0);
        }
        for (const k of [0, 3, 99]) t.deepEqual([...counter.top(k)], model.ranked.slice(0, k));
      }
      t.deepEqual(counters[1].state(), counters[0].state());
      for (const counter of counters) counter.dispose();
    }),
    { numRuns: RUNS },
  );
  await runtime.close();
});

test("many ids at once are counted as one after another, and counts stop at 2^32 − 1", async (t) => {
  const runtime = await Runtime.create({ simd: "simd" });
  const counters = [new SetCounter(3000), new SetCounter(3000, runtime)];
  const ids = Uint32Array.from({ length: 20_000 }, (_, i) => mixBits(i % 7919) >>> 1);
  for (const counter of counters) {
    counter.observe(ids);
    counter.add(ids[0], 2 ** 32 - 1);
    counter.observe(Uint32Array.of(ids[0], ids[0]));
    t.is(counter.count(ids[0]), 2 ** 32 - 1);
  }
  t.deepEqual(counters[1].state(), counters[0].state());
  await runtime.close();
});

test("accesses known beforehand take only places that are counted less", (t) => {
  const counter = new SetCounter(8);
  for (let id = 0; id < 8; id++) counter.add(id, 10 + id);
  counter.add(20, 9);
  t.is(counter.count(20), 0);
  counter.add(21, 11);
  t.is(counter.count(0), 0);
  counter.add(21, 4);
  t.is(counter.count(21), 15);
  t.is(counter.total, 8 * 10 + 28 + 9 + 11 + 4);
});

test("bytes do not depend on what was counted, and count what aging writes", (t) => {
  const counter = new SetCounter(20);
  t.is(counter.bytes, 2 * 4 * 24);
  counter.observe(Uint32Array.from({ length: 999 }, (_, i) => i));
  t.is(counter.bytes, 2 * 4 * 24);
  const aging = counter.aging();
  aging.next();
  t.is(counter.bytes, 2 * 2 * 4 * 24);
  while (aging.next().done !== true);
  t.is(counter.bytes, 2 * 4 * 24);
});

test("a state gives back the same places and total", (t) => {
  const counter = new SetCounter(20);
  counter.observe(Uint32Array.from({ length: 99 }, (_, i) => (i * i) % 71));
  counter.halve();
  counter.observe(Uint32Array.of(5, 5, 6));
  const copy = new SetCounter(20);
  copy.load(counter.state(), 100);
  t.deepEqual(copy.state(), counter.state());
  t.throws(() => new SetCounter(20).load(counter.state(), 5), { code: "E_MISMATCH" });
  t.throws(() => new SetCounter(40).load(counter.state(), 100), {
    code: "E_MISMATCH",
    message: /24 elements, the counter 40 places/,
  });
});

test("accesses of several ids at once are added as one after another, told from all others, and halved, on kernels and without", async (t) => {
  const runtime = await Runtime.create();
  const added = fc.uniqueArray(fc.record({ id: fc.nat(60), count: fc.nat(9) }), { selector: ({ id }) => id, maxLength: 40 });
  fc.assert(
    fc.property(fc.array(fc.nat(60), { maxLength: 60 }), added, fc.nat(5), (seen, entries, above) => {
      const counters = [new SetCounter(20), new SetCounter(20), new SetCounter(20, runtime)];
      for (const counter of counters) counter.observe(Uint32Array.from(seen));
      for (const { id, count } of entries) counters[0].add(id, count);
      const [ids, counts] = [Uint32Array.from(entries, ({ id }) => id), Uint32Array.from(entries, ({ count }) => count)];
      for (const counter of counters.slice(1)) {
        counter.addEach(ids, counts);
        t.deepEqual(counter.state(), counters[0].state());
        const apart = finish(counter.apart(ids));
        t.deepEqual(
          apart.counts,
          ids.map((id) => counter.count(id)),
        );
        const others = finish(apart.others(above));
        const known = [...Array(61).keys()].filter((id) => counter.count(id) > above && !ids.includes(id));
        t.deepEqual(others.ids.slice().sort(), Uint32Array.from(known));
        t.deepEqual(
          others.counts,
          others.ids.map((id) => counter.count(id)),
        );
        counter.halve();
      }
      counters[0].halve();
      for (const counter of counters.slice(1)) t.deepEqual(counter.state(), counters[0].state());
      for (const counter of counters) counter.dispose();
    }),
    { numRuns: RUNS },
  );
  await runtime.close();
});

test("kernels take others and halve counts beyond one block as plain TypeScript does", async (t) => {
  const runtime = await Runtime.create();
  const { uniform } = createRng(4);
  const seen = Uint32Array.from({ length: 40_009 }, () => Math.floor(uniform() ** 3 * 30_011));
  const [plain, onKernels] = [new SetCounter(10_007), new SetCounter(10_007, runtime)];
  const [expected, found] = [plain, onKernels].map((counter) => {
    counter.observe(seen);
    const apart = finish(counter.apart(Uint32Array.from(new Set(seen.subarray(0, 97)))));
    // The last bound is more than any count can be.
    const others = [0, 2, 2 ** 32 + 2].map((above) => finish(apart.others(above)));
    counter.halve();
    return [others, counter.state()];
  });
  t.deepEqual(found, expected);
  onKernels.dispose();
  await runtime.close();
});
