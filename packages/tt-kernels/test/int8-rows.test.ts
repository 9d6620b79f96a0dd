import "@tt-rec/testing/relaxed-simd";
import { createRng, type HostTensor, mixBits, Runtime, type UpdateRule } from "@tt-rec/tensor";
import { allClose, copyState, scratchFrom } from "@tt-rec/testing";
import test from "ava";
import fc from "fast-check";
import { Int8Rows } from "../src/int8-rows.ts";
import { runPhases } from "../src/phases.ts";
import { dequantizeRow, roundRow } from "../src/reference/int8-row.ts";
import { updateInt8 } from "../src/wasm/int8-batch.ts";

const RUNS = process.env.TT_REC_LONG ? 1000 : 60;

const engines = await Promise.all(
  (["simd", "relaxed"] as const).flatMap((simd) => [1, 2, 4].map((threads) => Runtime.create({ simd, threads, poison: true }))),
);
const reference = await Runtime.create({ backend: "reference", poison: true });

/** Rows whose roundings follow from a seed. */
function rowsOf(runtime: Runtime, count: number, dim: number, seed: number): Int8Rows {
  return new Int8Rows(runtime, "rows", [count, dim], (slots) => slots.map((slot) => mixBits(seed + mixBits(slot + 1))));
}

/** Updates some rows by the kernels, or in plain TypeScript. */
async function update(
  runtime: Runtime,
  rows: Int8Rows,
  slices: Uint32Array,
  gradient: Float32Array,
  rule: UpdateRule,
): Promise<void> {
  await runtime.step(async () => {
    const values = scratchFrom(runtime, [slices.length, rows.sliceSize], gradient);
    if (runtime.backend === "wasm") await runPhases(runtime.host, updateInt8(runtime, rows, { slices, values }, rule));
    else rows.updateSlices(rule, slices, values);
    // The gradients are their caller's.
    if (values.data.some((value, i) => value !== gradient[i])) throw new Error("the update has changed the gradients");
  });
}

test("a rounded row is off by less than its scale, and right in the mean over keys", (t) => {
  const { normal } = createRng(3);
  const dim = 37;
  const row = Float32Array.from({ length: dim }, (_, j) => (j === 5 ? 0 : j === 7 ? 4 : normal()));
  const bytes = new Int8Array(dim);
  const sums = new Float64Array(dim);
  const keys = 20_000;
  let scale = 0;
  for (let key = 0; key < keys; key++) {
    scale = roundRow(row, key, bytes);
    const read = dequantizeRow(bytes, scale);
    for (let j = 0; j < dim; j++) {
      sums[j] += read[j];
      if (Math.abs(read[j] - row[j]) > scale) t.fail(`element ${j} is off by ${read[j] - row[j]}, the scale is ${scale}`);
    }
  }
  t.is(scale, Math.fround(4 / 127));
  for (let j = 0; j < dim; j++) {
    // The standard deviation of a mean of roundings is at most half a scale over the root of their number.
    const deviation = scale / 2 / Math.sqrt(keys);
    t.true(Math.abs(sums[j] / keys - row[j]) < 4.5 * deviation, `element ${j}: ${sums[j] / keys} for ${row[j]}`);
  }
});

test("what one element is rounded by says nothing of its neighbours, of other rows and of other steps", (t) => {
  const [dim, keys] = [8, 5000];
  const row = new Float32Array(dim).fill(0.5);
  row[0] = 127;
  const bytes = new Int8Array(dim);
  const ups = Array.from({ length: keys }, (_, key) => {
    roundRow(row, mixBits(key), bytes);
    return [...bytes.subarray(1)];
  });
  const correlation = (of: (key: number) => readonly [number, number]): number => {
    let sum = 0;
    for (let key = 0; key + 1 < keys; key++) {
      const [a, b] = of(key);
      sum += (2 * a - 1) * (2 * b - 1);
    }
    return sum / Math.sqrt(keys);
  };
  for (let j = 0; j < 6; j++) {
    t.true(Math.abs(correlation((key) => [ups[key][j], ups[key][j + 1]])) < 4.5);
    t.true(Math.abs(correlation((key) => [ups[key][j], ups[key + 1][j]])) < 4.5);
  }
});

test("rows of zeros, of one number, of tiny and of huge numbers, and such that are not finite", (t) => {
  const bytes = new Int8Array(3).fill(9);
  t.is(roundRow(new Float32Array(3), 1, bytes), 0);
  t.deepEqual([...bytes], [0, 0, 0]);
  t.deepEqual([...dequantizeRow(bytes, 0)], [0, 0, 0]);
  for (const value of [1, -3, 1e-30, 3e38, 2 ** -149 * 127]) {
    const scale = roundRow(Float32Array.of(value, 0, value), 5, bytes);
    allClose(t, dequantizeRow(bytes, scale), [value, 0, value], 2 ** -22);
  }
  roundRow(Float32Array.of(2 ** -149, 0, 0), 5, bytes);
  t.deepEqual([...bytes], [0, 0, 0]);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const scale = roundRow(Float32Array.of(1, bad, 2), 5, bytes);
    t.false(dequantizeRow(bytes, scale).every(Number.isFinite));
  }
});

test.serial("the kernel gives the bits of plain TypeScript on any number of threads", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({ seed: fc.nat(), dim: fc.integer({ min: 1, max: 37 }), count: fc.constantFrom(1, 3, 211, 997) }),
      async ({ seed, dim, count }) => {
        const { normal, uniform } = createRng(seed);
        const slices = Uint32Array.from({ length: count }, (_, slot) => slot).filter(() => uniform() < 0.7);
        // Rows of zeros and single large elements among them.
        const gradients = [1, 2].map(() =>
          Float32Array.from({ length: slices.length * dim }, () => (uniform() < 0.1 ? 0 : normal() * 10 ** (4 * uniform()))),
        );
        const states = [];
        for (const runtime of [reference, ...engines]) {
          const rows = rowsOf(runtime, count, dim, seed);
          for (const gradient of gradients) {
            // The product of such a step length is exact, so float64 and float32 agree.
            await update(runtime, rows, slices, gradient, { kind: "sgd", learningRate: 0.25, scale: 0.5 });
          }
          states.push(copyState(new Map(rows.entries())));
          rows.dispose();
        }
        t.true(slices.length === 0 || states[0].get("rows")?.data.some((byte) => byte !== 0));
        for (const state of states) t.deepEqual(state, states[0]);
      },
    ),
    { numRuns: RUNS },
  );
});

const RULES: readonly UpdateRule[] = [
  { kind: "adagrad", learningRate: 0.5, eps: 0.5, scale: 2 },
  { kind: "rowWiseAdagrad", learningRate: 0.5, eps: 0.5, scale: 2 },
  { kind: "momentum", learningRate: 0.1, momentum: 0.9 },
  { kind: "adam", learningRate: 0.1, step: 3 },
];

test.serial(
  "every rule moves the rows as it moves floats, within their rounding, and has the same optimizer state",
  async (t) => {
    const [count, dim] = [13, 7];
    const slices = Uint32Array.of(0, 2, 3, 7, 12);
    for (const rule of RULES) {
      const states = [];
      for (const runtime of [reference, ...engines]) {
        const { normal } = createRng(9);
        const rows = rowsOf(runtime, count, dim, 1);
        rows.writeRows(
          Uint32Array.from({ length: count }, (_, slot) => slot),
          Float32Array.from({ length: count * dim }, normal),
        );
        for (let step = 0; step < 3; step++) {
          const expected = [...slices].map((slot) => rows.readRow(slot));
          const gradient = Float32Array.from({ length: slices.length * dim }, normal);
          for (const [i, slot] of slices.entries()) {
            // A copy of the accumulators takes the step that the rows are to take.
            const kept = copyState(new Map(rows.entries()));
            rows.updateCopy(rule, slot, expected[i], gradient.subarray(i * dim, (i + 1) * dim));
            rows.load(kept.size > 2 ? kept : new Map([...kept, zeroState(rows, rule)]));
          }
          await update(runtime, rows, slices, gradient, rule);
          for (const [i, slot] of slices.entries()) {
            const read = rows.readRow(slot);
            const scale = Math.max(...read.map(Math.abs)) / 126;
            for (const [j, value] of read.entries()) t.true(Math.abs(value - expected[i][j]) <= scale);
          }
        }
        const state = copyState(new Map(rows.entries()));
        t.is(rows.bytes, count * (dim + 4) + 4 * ([...state.values()][2].data.length as number));
        states.push(state);
        rows.dispose();
      }
      const [, ...ofKernels] = states;
      for (const state of ofKernels) {
        t.deepEqual(state, ofKernels[0]);
        const [name, accumulators] = [...state][2];
        allClose(t, [...accumulators.data], [...(states[0].get(name)?.data ?? [])], 1e-5);
      }
    }
  },
);

/** The optimizer state of rows that were not updated yet. */
function zeroState(rows: Int8Rows, { kind }: UpdateRule): readonly [string, HostTensor] {
  if (kind === "sgd") throw new Error("SGD has no state");
  const shape = rows.stateShape(kind);
  return [rows.stateName(kind), { dtype: "F32", shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) }];
}
