import { createRng, Runtime, type UpdateRule } from "@tt-rec/tensor";
import { copyState, randomBags, rejectsCode, scratchFrom, throwsCode } from "@tt-rec/testing";
import { createTTShape } from "@tt-rec/tt-math";
import test from "ava";
import {
  applyTogether,
  DenseEmbeddingBag,
  type EmbeddingBag,
  forwardTogether,
  prepareTogether,
  TableBatchedTTEmbeddingBag,
  TTEmbeddingBag,
} from "../src/index.ts";

const TRAINING = { training: true };
const RULE: UpdateRule = { kind: "adagrad", learningRate: 0.1 };

/** Two, three and four cores: their work has different numbers of phases. */
const TABLES = [
  { rowShape: [7, 11], columnShape: [3, 5], ranks: [13] },
  { rowShape: [5, 7, 11], columnShape: [2, 2, 4], ranks: [8, 16] },
  { rowShape: [3, 7, 2, 5], columnShape: [2, 3, 1, 7], ranks: [2, 5, 3] },
].map(({ rowShape, columnShape, ranks }, t) => {
  const [rows, embeddingDim] = [rowShape, columnShape].map((extents) => extents.reduce((a, b) => a * b, 1));
  const shape = createTTShape({ numEmbeddings: rows - 1, embeddingDim, rowShape, columnShape, ranks });
  const rng = createRng(t);
  const size = (k: number): number => rowShape[k] * shape.ranks[k] * columnShape[k] * shape.ranks[k + 1];
  return { shape, cores: rowShape.map((_, k) => Float32Array.from({ length: size(k) }, rng.normal)) };
});

const BATCHES = TABLES.map(({ shape: { numEmbeddings } }, t) => {
  const { indices, offsets } = randomBags(createRng(10 + t).uniform, { numEmbeddings, batchSize: 11 + t, maxPooling: 5 });
  return { indices, offsets };
});

/** A bag as another package may bring it. */
function withoutPhases(bag: EmbeddingBag): EmbeddingBag {
  return new Proxy(bag, {
    get(target, key) {
      const value: unknown = key === "phases" ? undefined : Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

test("tables in one pass give the bits that each gives alone, on 1 and 2 threads", async (t) => {
  for (const threads of [1, 2]) {
    const runtime = await Runtime.create({ threads, poison: true });
    const batched = new TableBatchedTTEmbeddingBag(runtime, TABLES);
    const alone = TABLES.map((options) => new TTEmbeddingBag(runtime, options));
    t.is(
      batched.bytes,
      alone.reduce((sum, { bytes }) => sum + bytes, 0),
    );
    const plans = batched.plan(BATCHES, TRAINING);
    await runtime.step(async () => {
      const outputs = await batched.forward(plans);
      for (const [i, bag] of alone.entries()) {
        const plan = bag.plan(BATCHES[i], TRAINING);
        t.deepEqual((await bag.forward(plan)).data, outputs[i].data);
        await bag.step(plan, outputs[i], RULE);
      }
      await batched.step(plans, outputs, RULE);
    });
    const state = await batched.state();
    for (const [i, bag] of alone.entries()) {
      for (const [name, tensor] of await bag.state()) t.deepEqual(state.get(`${i}.${name}`), tensor, `${i}.${name}`);
    }
    const other = new TableBatchedTTEmbeddingBag(runtime, TABLES);
    await other.load(copyState(await batched.state()));
    t.deepEqual(await other.state(), state);
    await rejectsCode(
      t,
      "E_MISMATCH",
      other.load(new Map([...state, ["3.core.0", state.get("0.core.0")]] as never)),
      /"3\.core\.0"/,
    );
    await runtime.close();
  }
});

test("other numbers of batches, plans or gradients than tables are refused", async (t) => {
  const runtime = await Runtime.create();
  const batched = new TableBatchedTTEmbeddingBag(runtime, TABLES);
  const plans = batched.plan(BATCHES, TRAINING);
  throwsCode(t, "E_SHAPE", () => batched.plan(BATCHES.slice(1), TRAINING), /2 batches for 3 tables/);
  throwsCode(t, "E_SHAPE", () => batched.forward(plans.slice(1)), /2 plans for 3 tables/);
  await runtime.step(() => rejectsCode(t, "E_SHAPE", batched.prepare(plans, []), /0 gradients for 3 tables/));
});

test("bags of all kinds go together, those without phases after the others", async (t) => {
  const runtime = await Runtime.create({ poison: true, ownMemoryBytes: 1000 });
  const make = (): EmbeddingBag[] => [
    new TTEmbeddingBag(runtime, TABLES[1]),
    new DenseEmbeddingBag(runtime, { numEmbeddings: 97, embeddingDim: 5, initialize: (table) => table.fill(2) }),
    new DenseEmbeddingBag(runtime, { numEmbeddings: 7, embeddingDim: 5, initialize: (table) => table.fill(3) }),
  ];
  const batches = [BATCHES[1], { indices: Uint32Array.of(5, 96, 5) }, { indices: Uint32Array.of(6, 6) }];
  const [together, alone] = [make(), make()];
  together[2] = withoutPhases(together[2]);
  const rules: UpdateRule[] = [RULE, { kind: "sgd", learningRate: 0.5 }, RULE];
  await runtime.step(async () => {
    const plans = together.map((bag, i) => bag.plan(batches[i], TRAINING));
    const outputs = await forwardTogether(runtime, together, plans);
    const steps = await prepareTogether(runtime, together, plans, outputs);
    t.true(steps.every(({ finite }) => finite));
    await applyTogether(runtime, steps, rules);
    for (const [i, bag] of alone.entries()) await bag.step(bag.plan(batches[i], TRAINING), outputs[i], rules[i]);
  });
  for (const [i, bag] of alone.entries()) t.deepEqual(await together[i].state(), await bag.state());
});

test("a prepared step knows whether its gradients are finite, also where only bounds are not", async (t) => {
  for (const backend of ["wasm", "reference"] as const) {
    const runtime = await Runtime.create({ backend });
    const { shape, cores } = TABLES[1];
    const bag = new TTEmbeddingBag(runtime, { shape, cores });
    const plan = bag.plan({ indices: Uint32Array.of(0, 1, 76) }, TRAINING);
    await runtime.step(async () => {
      const { shape: outputShape } = await bag.forward(plan);
      const size = outputShape[0] * outputShape[1];
      const finiteFor = async (value: number): Promise<boolean> => {
        const gradient = scratchFrom(runtime, outputShape, new Array(size).fill(value));
        return (await bag.prepare(plan, gradient)).finite;
      };
      t.true(await finiteFor(1));
      // The squares of the gradients overflow float32 here, and the bounds are in float64.
      t.true(await finiteFor(1e25));
      t.false(await finiteFor(1e38));
      t.false(await finiteFor(Number.NaN));
      t.false(await finiteFor(Number.POSITIVE_INFINITY));
    });
    // A step that was prepared before the cores changed is refused.
    await runtime.step(async () => {
      const gradient = await bag.forward(plan);
      const step = await bag.prepare(plan, gradient);
      await rejectsCode(t, "E_OPTION", step.apply({ kind: "sgd", learningRate: -1 }));
      await step.apply(RULE);
      if (backend === "wasm") await rejectsCode(t, "E_STALE_PLAN", step.apply(RULE), /the cores have changed/);
    });
  }
});
