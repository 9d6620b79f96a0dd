import { createRng, type GemmLayout, type Rng, type Tensor } from "@tt-rec/tensor";
import { rejectsCode } from "@tt-rec/testing";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { crews, type Engine, engines } from "./dense-engines.ts";

const RUNS = process.env.TT_REC_LONG ? 2000 : 100;
const LAYOUTS: readonly GemmLayout[] = ["nn", "nt", "tn"];

interface Extents {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

function swapped([rows, columns]: readonly [number, number], swap: boolean): [number, number] {
  return swap ? [columns, rows] : [rows, columns];
}

/** The operands of a product whose result is m×n. */
function operands(engine: Engine, rng: Rng, layout: GemmLayout, { m, n, k }: Extents): [Tensor, Tensor] {
  return [engine.normal(rng, swapped([m, k], layout === "tn")), engine.normal(rng, swapped([k, n], layout === "nt"))];
}

/** The product by its definition, in float64. */
function product(layout: GemmLayout, a: Float32Array, b: Float32Array, { m, n, k }: Extents): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      for (let p = 0; p < k; p++) {
        out[i * n + j] += a[layout === "tn" ? p * m + i : i * k + p] * b[layout === "nt" ? j * k + p : p * n + j];
      }
    }
  }
  return out;
}

interface Epilogue {
  readonly seed: number;
  readonly withBias: boolean;
  readonly relu: boolean;
}

/** Runs a product with random operands and compares it with the definition. */
async function check(t: ExecutionContext, engine: Engine, layout: GemmLayout, extents: Extents, epilogue: Epilogue) {
  const { m, n, k } = extents;
  const { seed, withBias, relu } = epilogue;
  const rng = createRng(seed);
  const [a, b] = operands(engine, rng, layout, extents);
  const bias = engine.normal(rng, [n]);
  // Whatever the result held before must not count, nor what lies behind it change.
  const around = engine.of([m * n + 16], new Float32Array(m * n + 16).fill(Number.NaN));
  const out = engine.of([m, n], new Float32Array(m * n).fill(Number.NaN));
  await engine.kernels.gemm(layout, a, b, out, { relu, ...(withBias ? { bias } : {}) });
  t.true(around.data.every(Number.isNaN));
  const exact = product(layout, a.data, b.data, extents);
  // Each of the k sums and the bias may be off by half a unit in the last place of what has been summed so far.
  const sums = product(layout, a.data.map(Math.abs), b.data.map(Math.abs), extents);
  const [result, row] = [out.data, bias.data];
  let worst = -1;
  for (let i = 0; i < exact.length; i++) {
    const value = exact[i] + (withBias ? row[i % n] : 0);
    const bound = (k + 1) * 2 ** -24 * (sums[i] + (withBias ? Math.abs(row[i % n]) : 0));
    if (!(Math.abs(result[i] - (relu ? Math.max(0, value) : value)) <= bound)) worst = i;
  }
  t.is(
    worst,
    -1,
    `${engine.name} ${layout} ${m}×${n}×${k}: element ${worst} is ${result[worst]}, without rounding ${exact[worst]}`,
  );
  for (const tensor of [a, b, bias, out, around]) tensor.dispose();
}

const smallExtents = fc
  .shuffledSubarray([1, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37], { minLength: 3, maxLength: 3 })
  .map(([m, n, k]) => ({ m, n, k }));

/** Beyond the row groups, the blocks of k and the units of the kernels, and at multiples of all of them. */
const LARGE = [
  { m: 131, n: 37, k: 521 },
  { m: 263, n: 7, k: 1031 },
  { m: 17, n: 263, k: 13 },
  { m: 1, n: 131, k: 67 },
  { m: 131, n: 1, k: 67 },
  { m: 256, n: 16, k: 512 },
];

for (const engine of engines) {
  const { kernels, name, of, normal } = engine;

  for (const layout of LAYOUTS) {
    test(`${name}: gemm ${layout} agrees with the definition, with bias and ReLU and without`, async (t) => {
      await fc.assert(
        fc.asyncProperty(smallExtents, fc.nat(), fc.boolean(), fc.boolean(), (extents, seed, withBias, relu) =>
          check(t, engine, layout, extents, { seed, withBias, relu }),
        ),
        { numRuns: RUNS },
      );
    });

    test(`${name}: gemm ${layout} agrees with the definition on larger extents`, async (t) => {
      for (const extents of LARGE) {
        await check(t, engine, layout, extents, { seed: 1, withBias: false, relu: false });
        await check(t, engine, layout, extents, { seed: 2, withBias: true, relu: true });
      }
    });

    test(`${name}: gemm ${layout} of empty extents gives no elements, or the bias where nothing is summed`, async (t) => {
      const rng = createRng(3);
      for (const [m, n, k] of [
        [0, 3, 5],
        [2, 0, 5],
        [0, 0, 0],
      ]) {
        const out = of([m, n], []);
        await kernels.gemm(layout, ...operands(engine, rng, layout, { m, n, k }), out);
        t.is(out.size, 0);
      }
      for (const [m, n] of [
        [2, 3],
        [1, 3],
        [3, 1],
      ]) {
        const out = of([m, n], new Float32Array(m * n).fill(9));
        await kernels.gemm(layout, ...operands(engine, rng, layout, { m, n, k: 0 }), out);
        t.deepEqual([...out.data], new Array(m * n).fill(0));
        const bias = of([n], [-1, 2, -3].slice(0, n));
        await kernels.gemm(layout, ...operands(engine, rng, layout, { m, n, k: 0 }), out, { bias, relu: true });
        t.deepEqual([...out.data], new Array(m).fill([0, 2, 0].slice(0, n)).flat());
      }
    });

    test(`${name}: gemm ${layout} refuses shapes that do not fit before it writes`, async (t) => {
      const rng = createRng(4);
      const [m, n, k] = [2, 3, 5];
      const [a, b] = operands(engine, rng, layout, { m, n, k });
      const [otherA, otherB] = operands(engine, rng, layout, { m, n, k: 7 });
      const out = of([m, n], [7, 7, 7, 7, 7, 7]);
      const refuses = (message: RegExp, ...args: Parameters<typeof kernels.gemm>): Promise<void> =>
        rejectsCode(t, "E_SHAPE", kernels.gemm(...args), message);
      await refuses(/the summed extents 5 and 7 differ/, layout, a, otherB, out);
      await refuses(/the summed extents 7 and 5 differ/, layout, otherA, b, out);
      await refuses(/two axes/, layout, a.reshape([m * k]), b, out);
      await refuses(/two axes/, layout, a, b.reshape([1, k, n]), out);
      await refuses(/two axes/, layout, a, b, out.reshape([m * n]));
      await refuses(/the result has shape \[2,3\]/, layout, a, b, out.reshape([n, m]));
      await refuses(/the bias has 2 elements/, layout, a, b, out, { bias: normal(rng, [m]) });
      t.deepEqual([...out.data], [7, 7, 7, 7, 7, 7]);
    });
  }

  test(`${name}: gemm leaves the result alone if an operand is at its end of life`, async (t) => {
    const out = of([1, 1], [7]);
    for (const dead of [0, 1, 2]) {
      const [a, b, bias] = [[1, 2], [2, 1], [1]].map((shape) => of(shape, []));
      [a, b, bias][dead].dispose();
      await rejectsCode(t, "E_DISPOSED", kernels.gemm("nn", a, b, out, { bias }));
      t.is(out.data[0], 7);
    }
  });

  test(`${name}: gemm hands NaN on, through ReLU too, whatever the shape`, async (t) => {
    for (const layout of LAYOUTS) {
      for (const [m, n] of [
        [1, 2],
        [2, 1],
        [7, 11],
        [1, 17],
        [17, 1],
      ]) {
        const [a, b] = operands(engine, createRng(5), layout, { m, n, k: 1 });
        a.data.fill(1);
        b.data.fill(-1);
        const out = of([m, n], new Float32Array(m * n).fill(9));
        await kernels.gemm(layout, a, b, out, { relu: true });
        t.deepEqual([...out.data], new Array(m * n).fill(0));
        a.data[m - 1] = Number.NaN;
        await kernels.gemm(layout, a, b, out, { relu: true });
        t.deepEqual([...out.data], [...new Array((m - 1) * n).fill(0), ...new Array(n).fill(Number.NaN)]);
      }
    }
  });
}

for (const crew of crews) {
  const names = crew.map(({ name }) => name).join(", ");
  test(`products have the same bits on ${names}`, async (t) => {
    for (const layout of LAYOUTS) {
      for (const extents of [
        { m: 131, n: 263, k: 521 },
        { m: 1, n: 1031, k: 523 },
        { m: 1031, n: 1, k: 523 },
      ]) {
        const results = await Promise.all(
          crew.map(async (engine) => {
            const [a, b] = operands(engine, createRng(7), layout, extents);
            const out = engine.of([extents.m, extents.n], []);
            await engine.kernels.gemm(layout, a, b, out, { relu: true });
            return out.data;
          }),
        );
        for (const result of results) t.deepEqual(result, results[0]);
      }
    }
  });
}
