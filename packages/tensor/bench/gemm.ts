import type { GemmLayout, Runtime } from "@tt-rec/tensor";
import { type BenchmarkCase, type BenchmarkResult, peak, runBenchmark } from "@tt-rec/testing";
import { naiveGemm } from "./naive-gemm.ts";
import { MLP_LAYERS, normal, plainRuntime, runtime, twoThreads } from "./setting.ts";

/** One product of an MLP's step: [m, k]·[k, n]. */
interface Shape {
  readonly layout: GemmLayout;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

const flopsOf = ({ m, n, k }: Shape): number => 2 * m * n * k;

/** The products of a step: forward, gradient of the weights, gradient of the input, which the first layer does not need. */
function mlpShapes(batchSize: number): Shape[] {
  return MLP_LAYERS.flatMap(([inputs, outputs], layer) => {
    const shapes: Shape[] = [
      { layout: "nt", m: batchSize, n: outputs, k: inputs },
      { layout: "tn", m: outputs, n: inputs, k: batchSize },
      { layout: "nn", m: batchSize, n: inputs, k: outputs },
    ];
    return layer === 0 ? shapes.slice(0, 2) : shapes;
  });
}

/** A function that computes a product on a runtime. */
function productOn(owner: Runtime, { layout, m, n, k }: Shape): () => Promise<void> {
  const a = normal(owner, layout === "tn" ? [k, m] : [m, k]);
  const b = normal(owner, layout === "nt" ? [n, k] : [k, n]);
  const out = owner.tensor([m, n]);
  return () => owner.kernels.gemm(layout, a, b, out);
}

function ceilingCase(owner: Runtime, flops: number, name: string): BenchmarkCase {
  const run = peak(owner.simd);
  return { name, engine: "ceiling", work: { amount: flops / 1e9, unit: "GFLOP" }, run: () => run(flops) };
}

/** The first layer of DLRM's top MLP for Kaggle against three loops: 128 samples, 367 inputs, 512 outputs. */
async function againstNaive(layout: GemmLayout): Promise<BenchmarkResult[]> {
  const shape = { layout, m: 128, n: 512, k: 367 };
  const { m, n, k } = shape;
  const [a, b] = [normal(runtime, layout === "tn" ? [k, m] : [m, k]), normal(runtime, layout === "nt" ? [n, k] : [k, n])];
  const out = runtime.tensor([m, n]);
  const work = { amount: flopsOf(shape) / 1e9, unit: "GFLOP" };
  return runBenchmark({
    id: `gemm/${layout}/128x512x367`,
    parameters: { ...shape },
    phase: "gemm",
    cases: [
      { name: "vs-naive", engine: runtime.kernels.engine, work, run: productOn(runtime, shape) },
      { name: "plain", engine: plainRuntime.kernels.engine, work, run: productOn(plainRuntime, shape) },
      { name: "naive", engine: "naive", work, run: () => naiveGemm[layout](a.data, b.data, out.data, { m, n, k }) },
    ],
    rival: "naive",
    rounds: 9,
  });
}

/** Each product of an MLP's step against as many multiply-adds at the peak rate: the ratio is the share of the ceiling. */
async function shapesAgainstCeiling(batchSize: number): Promise<BenchmarkResult[]> {
  const results: BenchmarkResult[] = [];
  for (const shape of mlpShapes(batchSize)) {
    const flops = flopsOf(shape);
    const work = { amount: flops / 1e9, unit: "GFLOP" };
    const { layout, m, n, k } = shape;
    const result = await runBenchmark({
      id: `gemm-mlp/${batchSize}/${layout}/${m}x${n}x${k}`,
      parameters: { ...shape, batchSize },
      phase: "gemm",
      cases: [
        { name: "vs-ceiling", engine: runtime.kernels.engine, work, run: productOn(runtime, shape) },
        ceilingCase(runtime, flops, "ceiling"),
      ],
      rival: "ceiling",
      rounds: 7,
      minRoundMs: 15,
    });
    results.push(...result.filter(({ engine }) => engine !== "ceiling"));
  }
  return results;
}

/** All products of a step, in both builds and on two threads. */
async function stepAgainstCeiling(batchSize: number): Promise<BenchmarkResult[]> {
  const shapes = mlpShapes(batchSize);
  const flops = shapes.reduce((sum, shape) => sum + flopsOf(shape), 0);
  const work = { amount: flops / 1e9, unit: "GFLOP" };
  const on = (owner: Runtime, name: string): BenchmarkCase => {
    const products = shapes.map((shape) => productOn(owner, shape));
    const run = async (): Promise<void> => {
      for (const product of products) await product();
    };
    return { name, engine: owner.kernels.engine, work, run };
  };
  return runBenchmark({
    id: `gemm-mlp/${batchSize}/step`,
    parameters: { batchSize, products: shapes.length },
    phase: "gemm",
    cases: [
      on(runtime, "vs-ceiling"),
      on(twoThreads, "two-threads"),
      on(plainRuntime, "plain"),
      ceilingCase(runtime, flops, "ceiling"),
    ],
    rival: "ceiling",
    rounds: 9,
  });
}

/** Everything about products. */
export async function gemm(): Promise<BenchmarkResult[]> {
  const results: BenchmarkResult[] = [];
  for (const layout of ["nn", "nt", "tn"] as const) results.push(...(await againstNaive(layout)));
  for (const batchSize of [128, 2048]) {
    results.push(...(await shapesAgainstCeiling(batchSize)), ...(await stepAgainstCeiling(batchSize)));
  }
  return results;
}
