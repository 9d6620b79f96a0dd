import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { throwsCode } from "@tt-rec/testing";
import test, { type ExecutionContext } from "ava";
import type { Blas } from "../src/blas/blas.ts";
import { withBlas } from "../src/blas/blas-kernels.ts";
import { systemBlas } from "../src/blas/system-blas.ts";
import type { DenseKernels, GemmLayout } from "../src/dense/kernels.ts";
import { referenceKernels } from "../src/dense/reference.ts";
import { isTtError } from "../src/errors.ts";
import { createRng, type Rng } from "../src/rng.ts";
import { Tensor } from "../src/tensor.ts";

const LAYOUTS: readonly GemmLayout[] = ["nn", "nt", "tn"];

/** Unequal primes whose product is large enough for the library. */
const LARGE = { m: 61, n: 37, k: 53 };

const spin = process.env.OPENBLAS_THREAD_TIMEOUT;

const found = await systemBlas().catch((error: unknown) => {
  // A library that is there and found wanting is a failure, not a reason to skip.
  if (isTtError(error) && error.code === "E_NOT_FOUND" && !error.message.includes("wrong products")) return error.message;
  throw error;
});

function withLibrary(title: string, body: (t: ExecutionContext, blas: Blas) => Promise<void> | void): void {
  test(title, async (t) => {
    if (typeof found !== "string") return body(t, found);
    t.log(`skipped: ${found}`);
    t.pass();
  });
}

function normal(rng: Rng, length: number): Float32Array {
  return Float32Array.from({ length }, () => rng.normal());
}

function tensorOf(shape: readonly number[], values: Float32Array): Tensor {
  const buffer = new SharedArrayBuffer(values.byteLength + 64);
  const tensor = new Tensor(shape, { buffer }, 64, { alive: true });
  tensor.data.set(values);
  return tensor;
}

interface Extents {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Operands of a product, with a result that holds NaN: whatever it held before must not count. */
function operands(layout: GemmLayout, { m, n, k }: Extents, seed = 1): { a: Tensor; b: Tensor; bias: Tensor; out: Tensor } {
  const rng = createRng(seed);
  return {
    a: tensorOf(layout === "tn" ? [k, m] : [m, k], normal(rng, m * k)),
    b: tensorOf(layout === "nt" ? [n, k] : [k, n], normal(rng, k * n)),
    bias: tensorOf([n], normal(rng, n)),
    out: tensorOf([m, n], new Float32Array(m * n).fill(Number.NaN)),
  };
}

/** The product by its definition, in float64, and the bound of its float32 error: half a unit in the last place a term. */
function product(layout: GemmLayout, { m, n, k }: Extents, a: Float32Array, b: Float32Array, bias?: Float32Array) {
  return Array.from({ length: m * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let value = bias?.[j] ?? 0;
    let bound = Math.abs(value);
    for (let p = 0; p < k; p++) {
      const term = a[layout === "tn" ? p * m + i : i * k + p] * b[layout === "nt" ? j * k + p : p * n + j];
      value += term;
      bound += Math.abs(term);
    }
    return { value, bound: bound * (k + 1) * 2 ** -24 };
  });
}

/** Kernels whose products are counted. */
function counted(): { kernels: DenseKernels; calls: () => number } {
  let calls = 0;
  const gemm: DenseKernels["gemm"] = (...operands) => {
    calls++;
    return referenceKernels.gemm(...operands);
  };
  return { kernels: { ...referenceKernels, gemm }, calls: () => calls };
}

for (const layout of LAYOUTS) {
  withLibrary(`sgemm ${layout} agrees with the definition from single elements to blocks`, (t, blas) => {
    const shapes = [
      { m: 1, n: 1, k: 1 },
      { m: 2, n: 3, k: 5 },
      { m: 13, n: 1, k: 7 },
      { m: 1, n: 17, k: 11 },
      { m: 101, n: 67, k: 131 },
      { m: 5, n: 211, k: 307 },
    ];
    for (const threads of [1, 2]) {
      blas.setThreads(threads);
      for (const extents of shapes) {
        const { a, b, out } = operands(layout, extents);
        blas.sgemm(layout, extents.m, extents.n, extents.k, a.data, b.data, out.data);
        const { data } = out;
        const bad = product(layout, extents, a.data, b.data).findIndex(
          ({ value, bound }, at) => !(Math.abs(data[at] - value) <= bound),
        );
        t.is(bad, -1, `${extents.m}, ${extents.n}, ${extents.k}`);
      }
    }
  });

  withLibrary(`gemm ${layout} with a library agrees with the definition, with bias and ReLU and without`, async (t, blas) => {
    for (const threads of [1, 2]) {
      const { kernels, calls } = counted();
      const { gemm } = withBlas(kernels, blas, { threads, park: () => undefined });
      for (const [seed, withBias, relu] of [
        [1, false, false],
        [2, true, false],
        [3, false, true],
        [4, true, true],
      ] as const) {
        const { a, b, bias, out } = operands(layout, LARGE, seed);
        await gemm(layout, a, b, out, { relu, ...(withBias ? { bias } : {}) });
        const { data } = out;
        const bad = product(layout, LARGE, a.data, b.data, withBias ? bias.data : undefined).findIndex(({ value, bound }, at) => {
          return !(Math.abs(data[at] - (relu ? Math.max(0, value) : value)) <= bound);
        });
        t.is(bad, -1, `bias ${withBias}, ReLU ${relu}`);
      }
      t.is(calls(), 0, "all of them are for the library");
    }
  });

  withLibrary(`gemm ${layout} with a library hands small and thin products on, options included`, async (t, blas) => {
    const { kernels, calls } = counted();
    const { gemm } = withBlas(kernels, blas, { threads: 1, park: () => undefined });
    const shapes = [
      { m: 7, n: 5, k: 3 },
      { m: 307, n: 3, k: 211 },
      { m: 307, n: 211, k: 2 },
      { m: 5, n: 7, k: 0 },
      { m: 0, n: 7, k: 5 },
      { m: 5, n: 0, k: 7 },
    ];
    for (const extents of shapes) {
      const { a, b, bias, out } = operands(layout, extents);
      const expected = tensorOf(out.shape, out.data);
      await gemm(layout, a, b, out, { bias, relu: true });
      await referenceKernels.gemm(layout, a, b, expected, { bias, relu: true });
      t.deepEqual([...out.data], [...expected.data]);
    }
    t.is(calls(), shapes.length);
  });

  withLibrary(`sgemm ${layout} of empty extents gives no elements, or zeros where nothing is summed`, (t, blas) => {
    const nothing = new Float32Array(0);
    blas.sgemm(layout, 0, 3, 5, nothing, new Float32Array(15), nothing);
    blas.sgemm(layout, 3, 0, 5, new Float32Array(15), nothing, nothing);
    const out = Float32Array.of(7, 7, 7, 7);
    blas.sgemm(layout, 1, 3, 0, nothing, nothing, out);
    t.deepEqual([...out], [0, 0, 0, 7]);
  });
}

withLibrary("gemm with a library hands NaN and infinity on, through ReLU too", async (t, blas) => {
  const { gemm } = withBlas(referenceKernels, blas, { threads: 1, park: () => undefined });
  const { m, n } = LARGE;
  const { a, b, bias, out } = operands("nn", LARGE);
  bias.data.fill(0);
  bias.data.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  // NaN with the sign bit, as the processor makes it of ∞ - ∞, is an integer just above the negative numbers.
  new Uint32Array(bias.data.buffer, bias.byteOffset, n)[3] = 0xffc00000;
  await gemm("nn", a, b, out, { bias, relu: true });
  for (let i = 0; i < m; i++) {
    const row = out.data.subarray(i * n, (i + 1) * n);
    t.deepEqual([...row.subarray(0, 4)], [Number.NaN, Number.POSITIVE_INFINITY, 0, Number.NaN]);
    t.true(row.subarray(4).every((value) => value >= 0));
  }
});

withLibrary(
  "gemm with a library refuses shapes that do not fit, and operands at their end of life, before it writes",
  async (t, blas) => {
    const { gemm } = withBlas(referenceKernels, blas, { threads: 1, park: () => undefined });
    const { a, b, bias, out } = operands("nn", LARGE);
    out.data.fill(7);
    const refusals: [string, () => unknown][] = [
      ["E_SHAPE", () => gemm("nt", a, b, out)],
      ["E_SHAPE", () => gemm("nn", a, b, out.reshape([LARGE.n, LARGE.m]))],
      ["E_SHAPE", () => gemm("nn", a, b, out, { bias: a })],
    ];
    for (const [code, call] of refusals) await t.throwsAsync(async () => call(), { code });
    bias.dispose();
    await t.throwsAsync(async () => gemm("nn", a, b, out, { bias }), { code: "E_DISPOSED" });
    t.true(out.data.every((value) => value === 7));
  },
);

withLibrary("withBlas names the library and leaves the other kernels alone", (t, blas) => {
  const kernels = withBlas(referenceKernels, blas, { threads: 1, park: () => undefined });
  t.is(kernels.engine, `reference+${blas.name}`);
  t.is(kernels.bceWithLogits, referenceKernels.bceWithLogits);
});

withLibrary("sgemm writes into a shared WebAssembly memory, beyond 2 GiB too, and nowhere else", (t, blas) => {
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Memory: new (extent: object) => { buffer: SharedArrayBuffer } };
  };
  const pages = 2 ** 15 + 1;
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  for (const start of [1028, 2 ** 31 + 1028]) {
    const [a, b] = [new Float32Array(buffer, start, 6), new Float32Array(buffer, start + 1024, 10)];
    a.set([1, 2, 3, 4, 5, 6]);
    b.set([1, 0, 0, 0, 1, 0, 1, 0, 0, 2]);
    blas.sgemm("nn", 3, 5, 2, a, b, new Float32Array(buffer, start + 2048, 15));
    t.deepEqual([...new Float32Array(buffer, start + 2044, 17)], [0, 1, 2, 0, 0, 5, 3, 4, 0, 0, 11, 5, 6, 0, 0, 17, 0]);
  }
});

withLibrary("sgemm refuses extents that do not fit into the arrays", (t, blas) => {
  const [short, long] = [new Float32Array(5), new Float32Array(64)];
  throwsCode(t, "E_SHAPE", () => blas.sgemm("nn", 2, 3, 4, short, long, long), /2, 3, 4 and arrays of 5, 64 and 64 elements/);
  throwsCode(t, "E_SHAPE", () => blas.sgemm("nn", 2, 3, 4, long, short, long));
  throwsCode(t, "E_SHAPE", () => blas.sgemm("nn", 2, 3, 4, long, long, short));
  throwsCode(t, "E_SHAPE", () => blas.sgemm("nn", -1, -1, -1, long, long, long));
  throwsCode(t, "E_SHAPE", () => blas.sgemm("nn", 1.5, 2, 2, long, long, long));
});

withLibrary("setThreads returns the number in use", (t, blas) => {
  t.is(blas.setThreads(1), 1);
  // A library that was built without threads stays at 1.
  t.true([1, 2].includes(blas.setThreads(2)));
  for (const threads of [0, -1, 1.5, Number.NaN]) throwsCode(t, "E_OPTION", () => blas.setThreads(threads));
});

withLibrary("loading a library leaves the environment as it was", (t) => {
  t.is(process.env.OPENBLAS_THREAD_TIMEOUT, spin);
});

withLibrary("a missing library, or one without BLAS, is named in a typed error", async (t) => {
  const library = "/nowhere/libopenblas.so.0";
  const error = await t.throwsAsync(systemBlas({ library }), { code: "E_NOT_FOUND", message: /\/nowhere\/libopenblas.so.0 \(/ });
  t.like(error, { where: { file: library } });
  const several = ["/nowhere/one.so", "/nowhere/two.so"];
  await t.throwsAsync(systemBlas({ library: several }), { code: "E_NOT_FOUND", message: /one\.so \(.*, .*two\.so \(/ });
  if (process.platform !== "linux") return;
  await t.throwsAsync(systemBlas({ library: several }), { message: /install one with apt-get install libopenblas0-pthread/ });
  await t.throwsAsync(systemBlas({ library: "libm.so.6" }), { code: "E_NOT_FOUND", message: /libm.*'cblas_sgemm'/ });
});

test("without koffi the error holds the line that installs it", async (t) => {
  // A copy far from any node_modules.
  const folder = await mkdtemp(join(tmpdir(), "tt-rec-blas-"));
  t.teardown(() => rm(folder, { recursive: true }));
  await cp(fileURLToPath(new URL("../src", import.meta.url)), folder, { recursive: true });
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  const copy: { systemBlas: typeof systemBlas } = await import(pathToFileURL(join(folder, "blas/system-blas.js")).href);
  await t.throwsAsync(copy.systemBlas(), { code: "E_NOT_FOUND", message: /koffi, which is not installed: npm install koffi/ });
});
