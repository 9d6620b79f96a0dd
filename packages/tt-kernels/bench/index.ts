import "@tt-rec/testing/relaxed-simd";
import { createRng, Runtime, type UpdateRule } from "@tt-rec/tensor";
import { type BenchmarkCase, type BenchmarkResult, peak, report, runBenchmark, saveResults } from "@tt-rec/testing";
import { createTTShape, initializeCores, type TTShape } from "@tt-rec/tt-math";
import { GpuDevice, GpuTTEmbeddingBag } from "../src/gpu.ts";
import { DenseEmbeddingBag, type EmbeddingBag, TTEmbeddingBag } from "../src/index.ts";
import { type ChainBatch, NaiveChain } from "./naive-chain.ts";
import { chainFlops, drawBatches, type Ids, ROWS } from "./workload.ts";

const BATCH_SIZE = 2048;
const RULE: UpdateRule = { kind: "sgd", learningRate: 1e-6 };
const TRAINING = { training: true };
type PhaseName = "forward" | "step";

const fast = await Runtime.create();
const plain = await Runtime.create({ simd: "simd" });
const reference = await Runtime.create({ backend: "reference" });
// The modes of gpu.js that Node has; for those of a GPU see `npm run bench:gpu`.
const gpuJs = await Promise.all((["webasm", "cpu"] as const).map((mode) => GpuDevice.open({ mode })));
const outputGradient = createRng(3);
const gradients = new Map<number, Float32Array>();

/** The gradient of the output, the same for all rivals. */
function gradientOf(size: number): Float32Array {
  let gradient = gradients.get(size);
  if (gradient === undefined) {
    gradient = Float32Array.from({ length: size }, outputGradient.normal);
    gradients.set(size, gradient);
  }
  return gradient;
}

function inTurn<T>(batches: readonly ChainBatch[], run: (batch: ChainBatch) => T): () => T {
  let next = 0;
  return () => run(batches[next++ % batches.length]);
}

function runBag(runtime: Runtime, bag: EmbeddingBag, phase: PhaseName, batch: ChainBatch): Promise<void> {
  return runtime.step(async () => {
    const plan = bag.plan(batch, phase === "step" ? TRAINING : { training: false });
    const { shape } = await bag.forward(plan);
    if (phase === "forward") return;
    const gradient = runtime.rawScratch(shape);
    gradient.data.set(gradientOf(gradient.size));
    await bag.step(plan, gradient, RULE);
  });
}

async function checkRival(tt: TTEmbeddingBag, chain: NaiveChain, batch: ChainBatch): Promise<void> {
  const ours = await fast.step(async () => (await tt.forward(tt.plan(batch, TRAINING))).data.slice());
  const theirs = chain.forward(batch);
  const largest = theirs.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  if (theirs.some((value, i) => !(Math.abs(value - ours[i]) <= 1e-4 * largest))) throw new Error("the rivals disagree");
}

/** What one configuration of a table is measured with. */
interface Setting {
  readonly id: string;
  readonly shape: TTShape;
  readonly batchSize: number;
  readonly pooling: number;
  readonly ids: Ids;
  /** Whether to measure the slow rivals too. */
  readonly slow: boolean;
}

async function measure({ id, shape, batchSize, pooling, ids, slow }: Setting): Promise<BenchmarkResult[]> {
  const cores = initializeCores(shape, createRng(2021), { kind: "sampled-gaussian", scaling: "variance-matched" });
  const bagOn = (runtime: Runtime): TTEmbeddingBag => new TTEmbeddingBag(runtime, { shape, cores });
  const [tt, ttPlain, ttReference] = [bagOn(fast), bagOn(plain), bagOn(reference)];
  const chain = new NaiveChain(shape, cores);
  const batches = drawBatches(batchSize, pooling, ids);
  await checkRival(tt, chain, batches[0]);
  const onGpuJs = slow ? gpuJs.map((device) => ({ device, bag: new GpuTTEmbeddingBag(fast, device, { shape, cores }) })) : [];
  const flops = chainFlops(shape, batches);
  const limit = peak(fast.simd);
  const results: BenchmarkResult[] = [];
  for (const phase of ["forward", "step"] as const) {
    const passes = phase === "forward" ? 1 : 3;
    const executed = passes * flops.executed * batchSize * pooling;
    const parameters = {
      ...{ rows: shape.numEmbeddings, embeddingDim: shape.embeddingDim, rowShape: shape.rowShape.join("x") },
      ...{ columnShape: shape.columnShape.join("x"), ranks: shape.ranks[1], batchSize, pooling, ids },
      ...{ flopsPerLookup: Math.round(passes * flops.executed), nominalFlopsPerLookup: Math.round(passes * flops.nominal) },
    };
    const bagCase = (name: string, runtime: Runtime, bag: EmbeddingBag): BenchmarkCase => ({
      name,
      engine: runtime.kernels.engine,
      run: inTurn(batches, (batch) => runBag(runtime, bag, phase, batch)),
    });
    const slowCases: BenchmarkCase[] = [
      bagCase("reference", reference, ttReference),
      {
        name: "naive-chain",
        engine: "naive chain, TypeScript",
        run: inTurn(batches, (batch) => {
          const out = chain.forward(batch);
          if (phase === "step") chain.step(batch, gradientOf(batchSize * shape.embeddingDim), RULE.learningRate);
          return out;
        }),
      },
      ...onGpuJs.map(({ device: { mode }, bag }) => ({
        ...bagCase(`gpu.js-${mode}`, fast, bag),
        engine: `gpu.js ${mode}`,
      })),
    ];
    const measured = await runBenchmark({
      id: `tt-${phase}/${id}/${ids}`,
      ...{ parameters, phase, rounds: 5, minRoundMs: slow ? 30 : 60 },
      // The time that the executed operations take at the peak rate of 128-bit vectors: the ratio is the share of the limit.
      rival: "limit",
      cases: [
        bagCase("tt", fast, tt),
        bagCase("tt-plain", plain, ttPlain),
        ...(shape.embeddingDim === dense.embeddingDim ? [bagCase("dense", fast, dense)] : []),
        ...(slow ? slowCases : []),
        { name: "limit", engine: "ceiling", run: () => limit(executed) },
      ],
    });
    results.push(...perLookup(measured, batchSize * pooling));
  }
  for (const bag of [tt, ttPlain, ttReference, ...onGpuJs.map(({ bag }) => bag)]) bag.dispose();
  return results;
}

function perLookup(results: readonly BenchmarkResult[], lookups: number): BenchmarkResult[] {
  const ns = (ms: number): number => (ms * 1e6) / lookups;
  return results.map((result) => ({
    ...result,
    unit: "ns/lookup",
    median: ns(result.median),
    p10: ns(result.p10),
    p90: ns(result.p90),
  }));
}

const dense = new DenseEmbeddingBag(fast, {
  numEmbeddings: ROWS,
  embeddingDim: 16,
  // Pages that were never written share one page of zeros, and would be read too fast.
  initialize: (table) => table.fill(1e-3),
});
const rowShape = [200, 220, 250];
const results: BenchmarkResult[] = [];
for (const ranks of [16, 32]) {
  const shape = createTTShape({ numEmbeddings: ROWS, embeddingDim: 16, rowShape, columnShape: [2, 2, 4], ranks });
  for (const pooling of [1, 10, 100]) {
    for (const ids of ["uniform", "zipf", "scattered"] as const) {
      const slow = pooling === 1 && ids !== "scattered";
      results.push(...(await measure({ id: `R${ranks}/P${pooling}`, shape, batchSize: BATCH_SIZE, pooling, ids, slow })));
    }
  }
}
// FBTT-Embedding's own benchmark: 512 bags, 10,240 lookups.
const fbtt = createTTShape({ numEmbeddings: 11_000_000, embeddingDim: 64, rowShape, columnShape: [4, 4, 4], ranks: 32 });
results.push(...(await measure({ id: "fbtt/R32/P20", shape: fbtt, batchSize: 512, pooling: 20, ids: "uniform", slow: false })));

console.log(report(results));
await saveResults(results);
for (const device of gpuJs) await device.close();
for (const runtime of [fast, plain, reference]) await runtime.close();
