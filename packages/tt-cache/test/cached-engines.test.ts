import "@tt-rec/testing/relaxed-simd";
import { createRng, type Runtime } from "@tt-rec/tensor";
import { allClose, copyState, randomBags, scratchFrom } from "@tt-rec/testing";
import { applyTogether, forwardTogether, prepareTogether } from "@tt-rec/tt-kernels";
import { createTTShape } from "@tt-rec/tt-math";
import test from "ava";
import fc from "fast-check";
import { CachedTTEmbeddingBag } from "../src/index.ts";
import { type Case, casesWith, drawBags, engines, OF_16, RULES, reference, TRAINING, trainStep } from "./cached-cases.ts";
import { normals, randomCores, SHAPES } from "./overlay-oracle.ts";

const RUNS = process.env.TT_REC_LONG ? 300 : 25;
const CASES = casesWith(RULES);

function bagOf(runtime: Runtime, { shape, seed, pooling, policy }: Case): CachedTTEmbeddingBag {
  const cores = randomCores(shape, seed).map((core) => core.map((value) => value / 2));
  return new CachedTTEmbeddingBag(runtime, { shape, cores, pooling, policy, cacheRows: 11, warmupSteps: 2, refreshEvery: 3 });
}

/** What training a few steps gives: outputs, gradients of weights, and the state. */
async function train(runtime: Runtime, options: Case): Promise<{ outputs: number[]; state: Map<string, ArrayLike<number>> }> {
  const bag = bagOf(runtime, options);
  const outputs: number[] = [];
  for (let step = 0; step < 8; step++) {
    outputs.push(...(await trainStep(runtime, bag, options, step)));
  }
  const state = new Map([...copyState(await bag.state())].map(([name, { data }]) => [name, [...data]]));
  bag.dispose();
  return { outputs, state };
}

test.serial("the kernels agree with the reference, and give the same bits on any number of threads", async (t) => {
  await fc.assert(
    fc.asyncProperty(CASES, async (options) => {
      const expected = await train(reference, options);
      t.true((expected.state.get("cache.ids")?.length ?? 0) === 11);
      for (const build of ["simd", "relaxed"] as const) {
        const results = [];
        for (const { simd, runtime } of engines) if (simd === build) results.push(await train(runtime, options));
        for (const result of results) t.deepEqual(result, results[0]);
        allClose(t, results[0].outputs, expected.outputs, 1e-4);
        for (const [name, values] of expected.state) {
          const actual = results[0].state.get(name) ?? [];
          if (/^(cache|counter)\.(?!rows)/.test(name)) t.deepEqual(actual, values, name);
          else if (values.length > 0) allClose(t, actual, values, 1e-4);
        }
      }
    }),
    { numRuns: RUNS },
  );
});

test.serial(
  "a batch that is worth several threads gives the same bits on any number of them, and those of prepare, step and apply agree",
  async (t) => {
    const shape = createTTShape({
      numEmbeddings: 400_000,
      embeddingDim: 16,
      rowShape: [71, 73, 79],
      columnShape: [2, 2, 4],
      ranks: 16,
    });
    const rng = createRng(5);
    const cores = randomCores(shape, 3).map((core) => core.map((value) => value / 4));
    const { indices, offsets } = randomBags(rng.uniform, { numEmbeddings: 400_000, batchSize: 1009, maxPooling: 20, skew: 3 });
    const gradients = normals(rng, 1009 * 16);
    const states = [];
    for (const { simd, runtime } of engines) {
      if (simd !== "simd") continue;
      for (const update of ["step", "prepare", "apply"]) {
        const bag = new CachedTTEmbeddingBag(runtime, { shape, cores, cacheRows: 997, warmupSteps: 1, refreshEvery: 2 });
        for (let step = 0; step < 5; step++) {
          await runtime.step(async () => {
            const plan = bag.plan({ indices, offsets }, TRAINING);
            await bag.forward(plan);
            const gradient = scratchFrom(runtime, [1009, 16], gradients);
            const rule = RULES[step % 2];
            if (update === "step") await bag.step(plan, gradient, rule);
            else if (update === "prepare") await (await bag.prepare(plan, gradient)).apply(rule);
            else await bag.apply(await bag.backward(plan, gradient), rule);
          });
        }
        states.push(copyState(await bag.state()));
        t.true(bag.metrics.hitRate > 0.2 && bag.metrics.hitRate < 0.9);
        bag.dispose();
      }
    }
    for (const state of states) t.deepEqual(state, states[0]);
  },
);

test.serial(
  "of a batch without a hit, of one of hits only, and of none, prepare, step and apply make the same optimizer state",
  async (t) => {
    const shape = OF_16;
    const batches = { "no hit": [5, 300, 7], "hits only": [1, 2, 1], mixed: [1, 300], empty: [] };
    for (const runtime of [reference, engines[0].runtime]) {
      for (const rule of RULES) {
        for (const [name, ids] of Object.entries(batches)) {
          const states = [];
          for (const update of ["apply", "step", "prepare"] as const) {
            const bag = new CachedTTEmbeddingBag(runtime, { shape, cores: randomCores(shape, 7), cacheRows: 2, warmupSteps: 1 });
            for (const indices of [[1, 1, 2, 2], ids]) {
              // The cache fills without an optimizer state.
              const by = indices === ids ? rule : RULES[0];
              await runtime.step(async () => {
                const plan = bag.plan({ indices: Uint32Array.from(indices) }, TRAINING);
                const out = await bag.forward(plan);
                if (update === "step") await bag.step(plan, out, by);
                else if (update === "prepare") await (await bag.prepare(plan, out)).apply(by);
                else await bag.apply(await bag.backward(plan, out), by);
              });
            }
            states.push(copyState(await bag.state()));
            bag.dispose();
          }
          const names = states.map((state) => [...state.keys()].sort());
          t.deepEqual(names[1], names[0], `step and apply of ${name}, ${rule.kind}`);
          t.deepEqual(names[2], names[0], `prepare and apply of ${name}, ${rule.kind}`);
          for (const [key, { data }] of states[0])
            for (const other of states) allClose(t, other.get(key)?.data ?? [], data, 1e-5);
        }
      }
    }
  },
);

test.serial("cached bags in one pass with each other give the bits that each gives alone", async (t) => {
  const options: Case = {
    ...{ shape: OF_16, seed: 4, pooling: "sum", rule: RULES[1], policy: "resident" },
    ...{ kind: "weighted", update: "prepare" },
  };
  const cases = [options, { ...options, shape: SHAPES[1] }, { ...options, shape: SHAPES[3], kind: "pooled" as const }];
  for (const { runtime } of [engines[0], engines[1], { runtime: reference }]) {
    const [together, alone] = [cases.map((each) => bagOf(runtime, each)), cases.map((each) => bagOf(runtime, each))];
    for (let step = 0; step < 8; step++) {
      await runtime.step(async () => {
        const plans = together.map((bag, i) => bag.plan(drawBags(cases[i], step), TRAINING));
        const outputs = await forwardTogether(runtime, together, plans);
        const steps = await prepareTogether(runtime, together, plans, outputs);
        t.true(steps.every((each) => each.applyPhases !== undefined));
        await applyTogether(runtime, steps, [RULES[0], RULES[1], RULES[2]]);
        for (const [i, bag] of alone.entries()) {
          const plan = bag.plan(drawBags(cases[i], step), TRAINING);
          const out = await bag.forward(plan);
          t.deepEqual(out.data, outputs[i].data);
          await (await bag.prepare(plan, out)).apply(RULES[i]);
        }
      });
    }
    for (const [i, bag] of alone.entries()) t.deepEqual(await bag.state(), await together[i].state());
  }
});
