import { createRng, type NamedTensors, Runtime, type Tensor, type UpdateRule } from "@tt-rec/tensor";
import { allClose, copyState, finiteDifferences, poolRows, randomBags, rejectsCode, scratchFrom } from "@tt-rec/testing";
import type { Bags, EmbeddingBag } from "@tt-rec/tt-kernels";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { createTable } from "../src/embeddings/create-table.ts";
import { mixedDimensions } from "../src/embeddings/mixed-dimensions.ts";
import type { EmbeddingConfig, TablePooling } from "../src/index.ts";
import { definePooling, defineTable, parametersOf } from "./model-definition.ts";
import { bitsOf } from "./support.ts";

const RUNS = process.env.TT_REC_LONG ? 200 : 15;
const SEED = 2021;
const [IDS, DIM] = [29, 7];
const TRAINING = { training: true };

/** Every way of storing a table without cores. */
const KINDS: readonly EmbeddingConfig[] = [
  { kind: "hash", rows: 5 },
  { kind: "hash", rows: 11, seed: 3 },
  { kind: "quotient-remainder", collisions: 5, operation: "mult" },
  { kind: "quotient-remainder", collisions: 3, operation: "add" },
  { kind: "quotient-remainder", collisions: 5, operation: "concat" },
  { kind: "mixed-dimension", dimension: 3 },
  { kind: "mixed-dimension", dimension: 7 },
  { kind: "low-rank", rank: 2 },
  { kind: "hot-rows", rows: 5 },
  { kind: "hot-rows", rows: 3, ids: [2, 7, 28] },
  { kind: "hot-rows", rows: 29 },
];

const RULES: readonly UpdateRule[] = [
  { kind: "sgd", learningRate: 0.05 },
  { kind: "adagrad", learningRate: 0.05, eps: 0.5 },
  { kind: "rowWiseAdagrad", learningRate: 0.05, eps: 0.5, scale: 0.5 },
  { kind: "adam", learningRate: 0.05, eps: 0.5, step: 2 },
];

const runtime = await Runtime.create({ poison: true });

function bagOf(embedding: EmbeddingConfig, pooling: TablePooling = "sum", seed = 1, owner = runtime): EmbeddingBag {
  const place = { runtime: owner, embeddingDim: DIM, rng: createRng(seed), maker: undefined };
  const table = createTable(place, { name: "x", numEmbeddings: IDS, embedding, pooling }, 0);
  if (table === undefined) throw new Error("no table");
  return table.bag;
}

/** Parameters of a bag under the names of a model with the table x. */
async function parameters(bag: EmbeddingBag): Promise<Map<string, Float64Array>> {
  return parametersOf(new Map([...(await bag.state())].map(([name, tensor]) => [`table.x.${name}`, tensor])));
}

/** A bag whose numbers are not small, so that rounding is small against them. */
async function drawn(embedding: EmbeddingConfig, pooling: TablePooling, seed: number, owner = runtime): Promise<EmbeddingBag> {
  const bag = bagOf(embedding, pooling, seed, owner);
  const rng = createRng(seed, 7);
  await bag.load(
    new Map(
      [...(await bag.state())].map(([name, tensor]) => [
        name,
        { ...tensor, data: Float32Array.from(tensor.data, () => rng.normal()) } as typeof tensor,
      ]),
    ),
  );
  return bag;
}

const cases = fc.record({
  seed: fc.nat(),
  pooling: fc.constantFrom<TablePooling>("sum", "mean", "max"),
  weighted: fc.boolean(),
  offsets: fc.boolean(),
  batchSize: fc.integer({ min: 0, max: 9 }),
});

type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

function bagsOf({ seed, pooling, weighted, offsets, batchSize }: Case): Bags {
  const bags = randomBags(createRng(seed, 3).uniform, { numEmbeddings: IDS, batchSize, maxPooling: 3 });
  return {
    indices: bags.indices,
    ...(offsets && { offsets: bags.offsets }),
    ...(weighted && pooling !== "max" && { weights: bags.weights }),
  };
}

function gradientFor(rng: () => number, rows: number): Tensor {
  return scratchFrom(runtime, [rows, DIM], Float32Array.from({ length: rows * DIM }, rng));
}

let last: Promise<unknown> = Promise.resolve();
/** A runtime has one step at a time, and the tests of a file run side by side. */
function inTurn<T>(body: () => Promise<T>): Promise<T> {
  const next = last.then(body);
  last = next.catch(() => undefined);
  return next;
}

for (const embedding of KINDS) {
  const title = JSON.stringify(embedding);

  test(`${title}: rows, pooled output and all gradients agree with the definition`, async (t) => {
    await fc.assert(
      fc.asyncProperty(cases, (batch) => inTurn(() => checkBatch(t, embedding, batch))),
      { numRuns: RUNS, seed: SEED },
    );
  });

  test(`${title}: step, prepare and backward with apply make the same update`, (t) =>
    inTurn(async () => {
      for (const [i, rule] of RULES.entries()) {
        const bags = bagsOf({ seed: i, pooling: "sum", weighted: i % 2 === 0, offsets: true, batchSize: 13 });
        const states: Map<string, Float64Array>[] = [];
        for (const way of ["step", "prepare", "apply"] as const) {
          const bag = await drawn(embedding, "sum", 4);
          for (let pass = 0; pass < 2; pass++) {
            await runtime.step(async () => {
              const plan = bag.plan(bags, TRAINING);
              const gradient = gradientFor(createRng(5 + pass).normal, plan.outputs);
              if (way !== "step") await bag.forward(plan);
              if (way === "step") await bag.step(plan, gradient, rule);
              else if (way === "prepare") await (await bag.prepare(plan, gradient)).apply(rule);
              else await bag.apply(await bag.backward(plan, gradient), rule);
            });
          }
          states.push(
            new Map([...(await bag.state())].map(([name, { data }]) => [name, Float64Array.from(data as Float32Array)])),
          );
          bag.dispose();
        }
        for (const state of states.slice(1)) {
          t.deepEqual([...state.keys()], [...states[0].keys()]);
          for (const [name, values] of states[0]) allClose(t, state.get(name) ?? [], values, 1e-6);
        }
      }
    }));

  test(`${title}: rows of before an update are not taken for those after it, by any way of updating`, (t) =>
    inTurn(async () => {
      const bag = await drawn(embedding, "sum", 4);
      const bags = { indices: Uint32Array.of(1, 28, 2) };
      for (const way of ["step", "prepare", "apply", "load"] as const) {
        await runtime.step(async () => {
          const plan = bag.plan(bags, TRAINING);
          const before = (await bag.forward(plan)).data.slice();
          const gradient = gradientFor(createRng(1).normal, 3);
          if (way === "step") await bag.step(plan, gradient, RULES[0]);
          else if (way === "prepare") await (await bag.prepare(plan, gradient)).apply(RULES[0]);
          else if (way === "apply") await bag.apply(await bag.backward(plan, gradient), RULES[0]);
          else await bag.load(copyState(await (await drawn(embedding, "sum", 6)).state()));
          const after = (await bag.forward(plan)).data.slice();
          t.notDeepEqual(after, before, way);
          t.deepEqual(after, (await bag.forward(bag.plan(bags, TRAINING))).data, way);
        });
      }
      bag.dispose();
    }));

  test(`${title}: a gradient that overflows is seen before anything is written`, (t) =>
    inTurn(async () => {
      const bag = await drawn(embedding, "sum", 4);
      const before = bitsOf(copyState(await bag.state()));
      await runtime.step(async () => {
        const plan = bag.plan({ indices: Uint32Array.of(1, 1, 2) }, TRAINING);
        const huge = scratchFrom(runtime, [3, DIM], new Float32Array(3 * DIM).fill(3e38));
        t.false((await bag.prepare(plan, huge)).finite);
        t.is(Number.isFinite((await bag.backward(plan, huge)).sumOfSquares), false);
        const gradients = await bag.backward(plan, scratchFrom(runtime, [3, DIM], new Float32Array(3 * DIM).fill(1)));
        const wrong = {
          ...gradients,
          parts: gradients.parts.map((part) => ({ ...part, slices: Uint32Array.of(4_000_000_000) })),
        };
        await rejectsCode(t, "E_SHAPE", bag.apply(wrong, RULES[0]));
        const foreign = { ...gradients, parts: gradients.parts.map((part) => ({ ...part, parameter: "core.9" })) };
        await rejectsCode(t, "E_OPTION", bag.apply(foreign, RULES[0]));
        await rejectsCode(t, "E_OPTION", bag.apply(gradients, { kind: "sgd", learningRate: -1 }));
        await rejectsCode(t, "E_SHAPE", bag.backward(plan, runtime.scratch([2, DIM])));
        const other = bagOf(embedding);
        await rejectsCode(t, "E_OPTION", other.forward(plan));
        other.dispose();
      });
      t.is(bitsOf(await bag.state()), before);
      for (const [bags, code] of [
        [{ indices: Uint32Array.of(IDS) }, "E_INDEX"],
        [{ indices: Uint32Array.of(1), offsets: Uint32Array.of(0, 2) }, "E_OFFSETS"],
        [{ indices: Uint32Array.of(1), weights: Float32Array.of(Number.NaN) }, "E_WEIGHTS"],
      ] as const)
        t.throws(() => bag.plan(bags, TRAINING), { code });
    }));

  test(`${title}: a state comes back to the bit with its accumulators, and a foreign one changes nothing`, (t) =>
    inTurn(async () => {
      const [bag, other] = [await drawn(embedding, "sum", 4), await drawn(embedding, "sum", 5)];
      await runtime.step(async () => {
        const plan = bag.plan({ indices: Uint32Array.of(1, 28, 2) }, TRAINING);
        await bag.step(plan, gradientFor(createRng(1).normal, 3), RULES[1]);
      });
      t.true(bag.bytes > bag.parameterBytes);
      const saved = copyState(await bag.state());
      const own = bitsOf(copyState(await other.state()));
      const broken: NamedTensors[] = [...saved.keys()].flatMap((name) => {
        const tensor = { dtype: "F32" as const, shape: [1, 1, 1], data: new Float32Array(1) };
        const without = new Map([...saved].filter(([key]) => key !== name));
        return [
          new Map([...saved, [name, tensor]]),
          new Map([...saved, [`${name}.2`, tensor]]),
          ...(/adagrad/.test(name) ? [] : [without]),
        ];
      });
      for (const state of broken) await rejectsCode(t, "E_MISMATCH", other.load(state));
      t.is(bitsOf(await other.state()), own);
      await other.load(saved);
      t.is(bitsOf(await other.state()), bitsOf(saved));
      bag.dispose();
      other.dispose();
    }));
}

async function checkBatch(t: ExecutionContext, embedding: EmbeddingConfig, batch: Case): Promise<void> {
  const bag = await drawn(embedding, batch.pooling, batch.seed);
  const bags = bagsOf(batch);
  const known = await parameters(bag);
  const table = (values: ReadonlyMap<string, Float64Array>): Float64Array =>
    defineTable({ name: "x", numEmbeddings: IDS, embedding }, DIM, values);
  const dense = await bag.toDense();
  allClose(t, dense.data, table(known), 1e-6);
  dense.dispose();
  await runtime.step(async () => {
    const plan = bag.plan(bags, TRAINING);
    const expected = definePooling(table(known), DIM, bags, batch.pooling);
    t.is(plan.outputs * DIM, expected.length);
    t.is(plan.lookups, bags.indices.length);
    t.true(plan.uniqueRows <= plan.lookups);
    allClose(t, (await bag.forward(plan)).data, expected, 1e-5);
    const gradient = gradientFor(createRng(batch.seed, 5).normal, plan.outputs);
    const scalar = (rows: Float64Array, by: Bags = bags): number =>
      definePooling(rows, DIM, by, batch.pooling).reduce((sum, value, i) => sum + value * gradient.data[i], 0);
    const gradients = await bag.backward(plan, gradient);
    let squares = 0;
    for (const [name, values] of known) {
      const part = gradients.parts.find(({ parameter }) => `table.x.${parameter}` === name);
      const actual = new Float64Array(values.length);
      if (part === undefined) return t.fail(`no gradient of ${name}`);
      const size = part.slices.length === 0 ? 1 : part.values.size / part.slices.length;
      for (const [i, slice] of part.slices.entries())
        actual.set(part.values.data.subarray(i * size, (i + 1) * size), slice * size);
      squares += actual.reduce((sum, g) => sum + g * g, 0);
      allClose(
        t,
        actual,
        finiteDifferences((x) => scalar(table(new Map([...known, [name, x]]))), values, 1e-5),
        1e-5,
      );
    }
    allClose(t, [gradients.sumOfSquares], [squares], 1e-5);
    const { weights } = bags;
    if (weights !== undefined) {
      const byWeight = (x: Float64Array): number =>
        poolRows(table(known), DIM, { ...bags, weights: x }, batch.pooling as "sum").reduce(
          (sum, v, i) => sum + v * gradient.data[i],
          0,
        );
      allClose(t, gradients.weights?.data ?? [], finiteDifferences(byWeight, Float64Array.from(weights)), 1e-5);
    } else t.is(gradients.weights, undefined);
    return undefined;
  });
  bag.dispose();
}

test("every way of storing a table gives the same bits on 1, 2 and 4 threads", async (t) => {
  const bits: string[][] = [];
  for (const threads of [1, 2, 4]) {
    const owner = await Runtime.create({ threads, simd: "simd" });
    const own: string[] = [];
    for (const embedding of KINDS) {
      const bag = await drawn(embedding, "sum", 3, owner);
      const drawnBags = randomBags(createRng(2).uniform, { numEmbeddings: IDS, batchSize: 997, maxPooling: 5 });
      await owner.step(async () => {
        const plan = bag.plan(drawnBags, TRAINING);
        await bag.step(plan, await bag.forward(plan), { kind: "adagrad", learningRate: 0.01 });
      });
      own.push(bitsOf(await bag.state()));
    }
    bits.push(own);
    await owner.close();
  }
  t.deepEqual(bits[1], bits[0]);
  t.deepEqual(bits[2], bits[0]);
});

test("bytes are those of the rows that are kept, and of an id list", (t) => {
  const bytes = (embedding: EmbeddingConfig): number => {
    const bag = bagOf(embedding);
    t.is(bag.bytes, bag.parameterBytes);
    return bag.parameterBytes / 4;
  };
  t.is(bytes({ kind: "hash", rows: 5 }), 5 * DIM);
  t.is(bytes({ kind: "quotient-remainder", collisions: 5 }), (6 + 5) * DIM);
  t.is(bytes({ kind: "quotient-remainder", collisions: 5, operation: "concat" }), 6 * 4 + 5 * 3);
  t.is(bytes({ kind: "mixed-dimension", dimension: 3 }), IDS * 3 + 3 * DIM);
  t.is(bytes({ kind: "low-rank", rank: 2 }), IDS * 2 + 2 * DIM);
  t.is(bytes({ kind: "hot-rows", rows: 5 }), 6 * DIM);
  t.true(bytes({ kind: "hot-rows", rows: 5, ids: [1, 2, 3, 4, 5] }) >= 6 * DIM + 5);
});

test("entries of rows have the variance of an uncompressed table's", async (t) => {
  const n = 5003;
  for (const embedding of KINDS) {
    if (embedding.kind === "hash" || embedding.kind === "hot-rows" || embedding.kind === "mixed-dimension") continue;
    const config = embedding.kind === "quotient-remainder" ? { ...embedding, collisions: 71 } : embedding;
    const place = { runtime, embeddingDim: 32, rng: createRng(2), maker: undefined };
    const table = createTable(place, { name: "x", numEmbeddings: n, embedding: config }, 0);
    const rows = (await table?.bag.toDense())?.data ?? new Float32Array(0);
    const variance = rows.reduce((sum, w) => sum + w * w, 0) / rows.length;
    t.true(Math.abs(variance * 3 * n - 1) < 0.15, `${JSON.stringify(config)}: ${variance * 3 * n}`);
  }
});

test("max pooling takes no weights", (t) => {
  const bag = bagOf({ kind: "dense" }, "max");
  t.throws(() => bag.plan({ indices: Uint32Array.of(1), weights: Float32Array.of(1) }, TRAINING), { code: "E_WEIGHTS" });
});

test("mixed dimensions of the Kaggle tables are those of DLRM's solver", (t) => {
  const rows = [
    1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194, 27, 14992, 5461306, 10, 5652, 2173, 4,
    7046547, 18, 15, 286181, 105, 142572,
  ];
  const expected = [3, 3, 1, 1, 4, 9, 1, 3, 16, 1, 2, 1, 2, 8, 1, 1, 11, 2, 2, 15, 1, 9, 10, 1, 6, 1];
  const dimensions = mixedDimensions(rows, 16, 0.3);
  t.deepEqual(dimensions, expected);
  // Projections count too: 33.79 M in all.
  const floats = rows.reduce((sum, n, i) => sum + n * dimensions[i] + (dimensions[i] < 16 ? 16 * dimensions[i] : 0), 0);
  t.is(Math.round(floats / 1e4), 3379);
  t.deepEqual(
    mixedDimensions(rows, 16, 0.3, true).map((d) => Math.log2(d) % 1),
    rows.map(() => 0),
  );
  t.deepEqual(mixedDimensions([7, 5], 3, 0), [3, 3]);
  t.throws(() => mixedDimensions([7], 3, -1), { code: "E_OPTION" });
});
