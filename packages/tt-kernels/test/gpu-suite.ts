import { createRng, type UpdateRule } from "@tt-rec/tensor";
import {
  allClose,
  copyState,
  denseFromCores,
  gradientsOfCores,
  poolRows,
  randomBags,
  scratchFrom,
  spreadSlices,
  unpoolRows,
} from "@tt-rec/testing";
import { parameterCount, type TTShape } from "@tt-rec/tt-math";
import fc from "fast-check";
import { GpuDenseEmbeddingBag, GpuTTEmbeddingBag } from "../src/gpu.ts";
import { type Bags, DenseEmbeddingBag, TTEmbeddingBag } from "../src/index.ts";
import {
  type BatchCase,
  drawBags,
  GPU_RULES,
  gpuBatches,
  type Outcome,
  outcome,
  positive,
  positiveCores,
  SHAPES,
} from "./bag-cases.ts";
import { type SuiteAssertions, sameOutcome } from "./engine-agreement.ts";
import { batchedGemmCase } from "./gpu-batched-gemm.ts";
import type { GpuCase } from "./gpu-case.ts";
import { EXAMPLE, EXAMPLE_EXTENTS, EXAMPLE_GRADIENTS, toRowMajor } from "./integer-example.ts";

const TRAINING = { training: true };
const BATCH: Bags = { indices: Uint32Array.of(0, 5, 11, 5, 7), offsets: Uint32Array.of(0, 2, 2, 5) };
const OUTPUT_GRADIENT = [1, -1, 2, 0, 3, 3, 3, 3, 0, 1, -2, 1];
const CAPACITY = 1500;

const exactExample: GpuCase = {
  name: "the integer example's table, output, gradients and an SGD step are exact",
  async run(t, { device, runtime }) {
    const bag = new GpuTTEmbeddingBag(runtime, device, { ...EXAMPLE, capacity: 5 });
    const dense = await bag.toDense();
    t.deepEqual([...dense.data], EXAMPLE.rows.flat());
    dense.dispose();
    const plan = bag.plan(BATCH, TRAINING);
    await runtime.step(async () => {
      t.deepEqual([...(await bag.forward(plan)).data], [-39, 84, -29, 44, 0, 0, 0, 0, 0, 42, -6, 57]);
      const gradient = scratchFrom(runtime, [3, 4], OUTPUT_GRADIENT);
      const gradients = await bag.backward(plan, gradient);
      for (const [k, expected] of EXAMPLE_GRADIENTS.entries()) {
        t.deepEqual(spreadSlices(gradients, `core.${k}`, expected.length), toRowMajor(expected, EXAMPLE_EXTENTS[k]));
      }
      t.is(gradients.sumOfSquares, 2579 + 2190 + 2649);
      await bag.step(plan, gradient, { kind: "sgd", learningRate: 0.5 });
    });
    const first = (await bag.state()).get("core.0")?.data;
    t.deepEqual(first, toRowMajor([-12.5, 5.5, 0, 10.5, 9.5, 6.5, 10.5, 14.5], EXAMPLE_EXTENTS[0]));
    bag.dispose();
  },
};

/** What float64 gives by the definitions for the first forward and backward pass of `outcome`. */
function exact(shape: TTShape, cores: readonly Float32Array[], bags: Bags, { pooling }: BatchCase, seed: number) {
  const { rowShape, columnShape, ranks, embeddingDim } = shape;
  const table = denseFromCores(cores, rowShape, columnShape, ranks);
  const output = poolRows(table, embeddingDim, bags, pooling);
  const rng = createRng(seed);
  const gradient = Float32Array.from(output, () => positive(rng));
  const rowGradients = unpoolRows(gradient, embeddingDim, bags, pooling);
  const unweighted = unpoolRows(
    gradient,
    embeddingDim,
    { ...bags, weights: new Float32Array(bags.indices.length).fill(1) },
    pooling,
  );
  const weights = Float64Array.from(bags.indices, (row, p) => {
    let sum = 0;
    for (let j = 0; j < embeddingDim; j++) sum += table[row * embeddingDim + j] * unweighted[p * embeddingDim + j];
    return sum;
  });
  return { output, weights, cores: gradientsOfCores(cores, rowShape, columnShape, ranks, bags.indices, rowGradients) };
}

function agreesWithFloat64(t: SuiteAssertions, actual: Outcome, expected: ReturnType<typeof exact>): void {
  allClose(t, actual.output, expected.output, 1e-5);
  const gradients = { parts: actual.parts.map((part) => ({ ...part, values: { data: part.values } })) };
  for (const [k, core] of expected.cores.entries()) allClose(t, spreadSlices(gradients, `core.${k}`, core.length), core, 1e-4);
  if (actual.weights !== undefined) allClose(t, actual.weights, expected.weights, 1e-4);
}

const ttCases: GpuCase[] = SHAPES.map((shape, i) => ({
  name: `TT bag ${i}, rows ${shape.rowShape} by ${shape.columnShape}: agrees with float64 and with the reference`,
  async run(t, { device, runtime, reference, runs }) {
    const property = fc.asyncProperty(gpuBatches, async (batch) => {
      const cores = positiveCores(shape, createRng(batch.seed));
      const bags = drawBags(batch, shape.numEmbeddings);
      const [options, seed] = [{ shape, cores, pooling: batch.pooling }, batch.seed + 1];
      const make = (): GpuTTEmbeddingBag => new GpuTTEmbeddingBag(runtime, device, { ...options, capacity: CAPACITY });
      const actual = await outcome(runtime, make, bags, seed, batch.rule);
      agreesWithFloat64(t, actual, exact(shape, cores, bags, batch, seed));
      sameOutcome(t, actual, await outcome(reference, (owner) => new TTEmbeddingBag(owner, options), bags, seed, batch.rule));
    });
    await fc.assert(property, { numRuns: runs });
  },
}));

const denseCases: GpuCase[] = [1, 5, 16].map((embeddingDim) => ({
  name: `dense bag of ${embeddingDim} columns: agrees with the reference`,
  async run(t, { device, runtime, reference, runs }) {
    const property = fc.asyncProperty(gpuBatches, fc.constantFrom(7, 97), async (batch, numEmbeddings) => {
      const rng = createRng(batch.seed);
      const initial = Float32Array.from({ length: numEmbeddings * embeddingDim }, () => positive(rng));
      const initialize = (table: Float32Array): void => table.set(initial);
      const options = { numEmbeddings, embeddingDim, pooling: batch.pooling, initialize };
      const [bags, seed] = [drawBags(batch, numEmbeddings), batch.seed + 1];
      const make = (): GpuDenseEmbeddingBag => new GpuDenseEmbeddingBag(runtime, device, { ...options, capacity: CAPACITY });
      const actual = await outcome(runtime, make, bags, seed, batch.rule);
      sameOutcome(t, actual, await outcome(reference, (owner) => new DenseEmbeddingBag(owner, options), bags, seed, batch.rule));
    });
    await fc.assert(property, { numRuns: runs });
  },
}));

const tallTable: GpuCase = {
  name: "a table of more rows than a texture is high is looked up and updated in all of its rows",
  async run(t, { device, runtime, reference }) {
    const numEmbeddings = 20_011;
    const rng = createRng(8);
    const initial = Float32Array.from({ length: numEmbeddings * 3 }, () => positive(rng));
    const options = { numEmbeddings, embeddingDim: 3, initialize: (table: Float32Array): void => table.set(initial) };
    const indices = Uint32Array.of(0, numEmbeddings - 1, numEmbeddings - 2, 10_005, 10_006, numEmbeddings - 1);
    const bags: Bags = { indices, weights: Float32Array.of(1, 2, 3, 4, 5, 6) };
    for (const rule of GPU_RULES) {
      const make = (): GpuDenseEmbeddingBag => new GpuDenseEmbeddingBag(runtime, device, { ...options, capacity: 6 });
      const actual = await outcome(runtime, make, bags, 4, rule);
      sameOutcome(t, actual, await outcome(reference, (owner) => new DenseEmbeddingBag(owner, options), bags, 4, rule));
    }
  },
};

const traffic: GpuCase = {
  name: "only the batch's numbers and gradients go up, and only pooled rows and a number a slice come down",
  async run(t, { device, runtime }) {
    const shape = SHAPES[4];
    const bag = new GpuTTEmbeddingBag(runtime, device, { shape, cores: positiveCores(shape, createRng(1)), capacity: CAPACITY });
    const { indices, offsets } = randomBags(createRng(2).uniform, {
      numEmbeddings: shape.numEmbeddings,
      batchSize: 31,
      maxPooling: 5,
      skew: 1,
    });
    const prefixes = (stride: number): number => new Set(Array.from(indices, (row) => Math.floor(row / stride))).size;
    const digits = (stride: number, extent: number): number =>
      new Set(Array.from(indices, (row) => Math.floor(row / stride) % extent)).size;
    const [, p2, p3] = shape.rowShape;
    const nodes = [prefixes(p2 * p3), prefixes(p3), prefixes(1)];
    const touched = [digits(p2 * p3, shape.rowShape[0]), digits(p3, p2), digits(1, p3)];
    const output = 31 * shape.embeddingDim;
    const moved: { up: number; down: number }[] = [];
    const note = async (work: () => Promise<unknown>): Promise<void> => {
      const before = device.traffic;
      await work();
      const { up, down } = device.traffic;
      moved.push({ up: (up - before.up) / 4, down: (down - before.down) / 4 });
    };
    for (let step = 0; step < 3; step++) {
      await runtime.step(async () => {
        const plan = bag.plan({ indices, offsets }, TRAINING);
        const gradient = scratchFrom(runtime, [31, shape.embeddingDim], new Float32Array(output).fill(0.01));
        await note(() => bag.forward(plan));
        await note(async () => (await bag.prepare(plan, gradient)).apply({ kind: "adagrad", learningRate: 0.1 }));
      });
    }
    const cores = parameterCount(shape);
    // Pairs of parent and digit a node, a term a position, starts of bags.
    const forward = 2 * (nodes[1] + nodes[2]) + indices.length + 32;
    const lists = 2 * (nodes[1] + nodes[2]) + touched[1] + 1 + touched[2] + 1;
    const children = 2 * (nodes[1] + nodes[2]) + nodes[0] + 1 + nodes[1] + 1;
    const backward = output + indices.length + nodes[2] + 1 + lists + children + touched[0] + touched[1] + touched[2];
    const squares = touched[0] + touched[1] + touched[2];
    // Cores and accumulators go up once.
    t.deepEqual(moved[0], { up: forward + cores, down: output });
    t.deepEqual(moved[1], { up: backward + cores, down: squares });
    for (const step of [1, 2]) {
      t.deepEqual(moved[2 * step], { up: forward, down: output });
      t.deepEqual(moved[2 * step + 1], { up: backward, down: squares });
    }
    bag.dispose();
  },
};

const kernelCount: GpuCase = {
  name: "kernels are compiled once a shape, shared by bags, kept for batches of any size, and freed with the last bag",
  async run(t, { device, runtime }) {
    const shape = SHAPES[4];
    const before = device.kernels;
    const make = (): GpuTTEmbeddingBag =>
      new GpuTTEmbeddingBag(runtime, device, { shape, cores: positiveCores(shape, createRng(1)), capacity: CAPACITY });
    const [bag, other] = [make(), make()];
    const rule: UpdateRule = { kind: "sgd", learningRate: 1e-3 };
    const step = (of: GpuTTEmbeddingBag, batchSize: number): Promise<void> =>
      runtime.step(async () => {
        const { indices, offsets } = randomBags(createRng(batchSize).uniform, {
          numEmbeddings: shape.numEmbeddings,
          batchSize,
          maxPooling: 7,
        });
        const plan = of.plan({ indices, offsets }, TRAINING);
        await of.step(plan, await of.forward(plan), rule);
      });
    await step(bag, 11);
    const compiled = device.kernels;
    for (const batchSize of [3, 97, 200]) await step(bag, batchSize);
    t.is(device.kernels, compiled);
    await step(other, 13);
    t.is(device.kernels, compiled);
    bag.dispose();
    t.is(device.kernels, compiled);
    other.dispose();
    t.is(device.kernels, before);
  },
};

const interleaved: GpuCase = {
  name: "a batch scored between forward and backward, and a plan used in two steps, change nothing",
  async run(t, { device, runtime }) {
    const shape = SHAPES[6];
    const cores = positiveCores(shape, createRng(3));
    const draw = (seed: number): Bags => {
      const { indices, offsets } = randomBags(createRng(seed).uniform, { numEmbeddings: 200, batchSize: 17, maxPooling: 5 });
      return { indices, offsets };
    };
    const bag = new GpuTTEmbeddingBag(runtime, device, { shape, cores, capacity: CAPACITY });
    const plan = bag.plan(draw(1), TRAINING);
    const gradients = (between: () => Promise<unknown>): Promise<number> =>
      runtime.step(async () => {
        const out = await bag.forward(plan);
        await between();
        return (await bag.backward(plan, out)).sumOfSquares;
      });
    const alone = await gradients(async () => undefined);
    t.is(await gradients(() => bag.forward(bag.plan(draw(2), { training: false }))), alone);
    t.is(await gradients(() => Promise.all([3, 4].map((seed) => bag.forward(bag.plan(draw(seed), TRAINING))))), alone);
    // The products of a step are gone with it.
    const out = await runtime.step(async () => (await bag.forward(plan)).data.slice());
    await runtime.step(async () => {
      const gradient = scratchFrom(runtime, [plan.outputs, shape.embeddingDim], out);
      t.is((await bag.backward(plan, gradient)).sumOfSquares, alone);
    });
    // Nor are products of the cores before an update taken for those after it.
    await runtime.step(async () => {
      const before = await bag.forward(plan);
      const old = before.data.slice();
      await bag.step(plan, before, { kind: "sgd", learningRate: 1e-3 });
      const updated = (await bag.forward(plan)).data.slice();
      t.deepEqual(updated, (await bag.forward(bag.plan(draw(1), TRAINING))).data.slice());
      t.is(updated[0] === old[0], false);
    });
    bag.dispose();
  },
};

const states: GpuCase = {
  name: "a state moves from the CPU to the device and back, optimizer state included, and a foreign one is refused",
  async run(t, { device, runtime }) {
    for (const rule of GPU_RULES) {
      const cpu = new TTEmbeddingBag(runtime, EXAMPLE);
      const gpu = new GpuTTEmbeddingBag(runtime, device, { ...EXAMPLE, capacity: 5 });
      const step = (bag: TTEmbeddingBag | GpuTTEmbeddingBag): Promise<void> =>
        runtime.step(() => bag.step(bag.plan(BATCH, TRAINING), scratchFrom(runtime, [3, 4], OUTPUT_GRADIENT), rule));
      await step(cpu);
      await gpu.load(copyState(await cpu.state()));
      t.is(gpu.bytes, cpu.bytes);
      t.is(gpu.parameterBytes, cpu.parameterBytes);
      await step(cpu);
      await step(gpu);
      await cpu.load(await gpu.state());
      t.deepEqual(copyState(await gpu.state()), copyState(await cpu.state()));
      const broken = new Map([
        ...(await cpu.state()),
        ["core.7", { dtype: "F32" as const, shape: [1], data: new Float32Array(1) }],
      ]);
      const code = await gpu.load(broken).then(
        () => "loaded",
        (error: { readonly code?: string }) => error.code,
      );
      t.is(code, "E_MISMATCH");
      cpu.dispose();
      gpu.dispose();
    }
  },
};

const refusals: GpuCase = {
  name: "a gradient that overflows is found before a weight is written; empty batches are answered; large ones refused",
  async run(t, { device, runtime }) {
    const bag = new GpuTTEmbeddingBag(runtime, device, { ...EXAMPLE, capacity: 5 });
    const before = copyState(await bag.state());
    await runtime.step(async () => {
      const plan = bag.plan(BATCH, TRAINING);
      const huge = scratchFrom(runtime, [3, 4], new Float32Array(12).fill(3e38));
      t.is((await bag.prepare(plan, huge)).finite, false);
      for (const rule of [
        { kind: "momentum", learningRate: 1, momentum: 0.5 },
        { kind: "adam", learningRate: 1, step: 1 },
      ] as const) {
        const code = await bag.step(plan, huge, rule).then(
          () => "stepped",
          (error: { readonly code?: string }) => error.code,
        );
        t.is(code, "E_OPTION");
      }
      // Their squares are beyond float32, they are not.
      const large = scratchFrom(runtime, [3, 4], new Float32Array(12).fill(1e30));
      t.is((await bag.prepare(plan, large)).finite, true);
      // This eps is 0 in float32, and an element without a gradient must not become 0 / 0.
      const other = new GpuTTEmbeddingBag(runtime, device, { ...EXAMPLE, capacity: 5 });
      await other.step(other.plan(BATCH, TRAINING), scratchFrom(runtime, [3, 4], new Float32Array(12)), {
        kind: "adagrad",
        learningRate: 1,
        eps: 1e-300,
      });
      t.deepEqual((await other.state()).get("core.1")?.data, EXAMPLE.cores[1]);
      other.dispose();
      const empty = bag.plan({ indices: new Uint32Array(0), offsets: Uint32Array.of(0, 0, 0) }, TRAINING);
      const out = await bag.forward(empty);
      t.deepEqual([...out.data], new Array(8).fill(0));
      const gradients = await bag.backward(empty, out);
      t.is(gradients.sumOfSquares, 0);
      t.deepEqual(
        gradients.parts.map(({ slices }) => slices.length),
        [0, 0, 0],
      );
      await bag.apply(gradients, { kind: "sgd", learningRate: 1 });
      await (await bag.prepare(empty, out)).apply({ kind: "sgd", learningRate: 1 });
    });
    t.deepEqual(copyState(await bag.state()), before);
    for (const [what, make, rule] of [
      ["lookups", () => bag.plan({ indices: new Uint32Array(6) }, TRAINING), /6 lookups; the bag was made with a capacity of 5/],
      [
        "capacity",
        () => new GpuTTEmbeddingBag(runtime, device, { ...EXAMPLE, capacity: 2 ** 25 }),
        /needs \d+ rows; .* allows \d+/,
      ],
      [
        "table",
        () => new GpuDenseEmbeddingBag(runtime, device, { numEmbeddings: 2 ** 24 + 1, embeddingDim: 1 }),
        /16777217 slices; kernels number them in float32/,
      ],
    ] as const) {
      let message = `${what} was taken`;
      try {
        make();
      } catch (error) {
        message = `${(error as { readonly code?: string }).code} ${(error as Error).message}`;
      }
      t.is(message.startsWith("E_GPU") && rule.test(message), true, message);
    }
    bag.dispose();
  },
};

/** All cases. */
export const GPU_CASES: readonly GpuCase[] = [
  exactExample,
  ...ttCases,
  ...denseCases,
  tallTable,
  traffic,
  kernelCount,
  interleaved,
  states,
  refusals,
  batchedGemmCase,
];
