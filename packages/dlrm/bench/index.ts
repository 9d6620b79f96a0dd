import "@tt-rec/testing/relaxed-simd";
import { createRng, Runtime, type UpdateRule } from "@tt-rec/tensor";
import { type BenchmarkResult, report, runBenchmark, saveResults } from "@tt-rec/testing";
import { KAGGLE_CARDINALITIES } from "@tt-rec/tt-math";
import { type Batch, Dlrm, type DlrmConfig, type EmbeddingConfig, type OptimizerConfig } from "../src/index.ts";
import { Mlp } from "../src/layers/mlp.ts";

/** The tables of Criteo Kaggle, the large ones clipped so that the uncompressed rival fits a small machine. */
const ROWS = KAGGLE_CARDINALITIES.map((rows) => Math.min(rows, 100_000));
const LARGEST = 7;
/** Samples that a case goes through in turn; the caches are filled from as many. */
const SAMPLES = 8192;
const OPTIMIZER: OptimizerConfig = { kind: "sgd", learningRate: 1e-3 };
const RULE: UpdateRule = { kind: "sgd", learningRate: 1e-3 };
const BOTTOM = [64, 16];
const TOP = [64, 1];
const FEATURES = 13;

const DENSE: EmbeddingConfig = { kind: "dense" };

/** The rivals: how the largest tables are stored. */
function embeddingsFor(warmupSteps: number): Record<string, EmbeddingConfig> {
  return {
    dense: DENSE,
    tt: { kind: "tt", ranks: 16 },
    "cached-tt": { kind: "tt", ranks: 16, cache: { rows: 1000, warmupSteps, refreshEvery: 2 ** 31 } },
  };
}

/** The architecture of the benchmark, its largest tables stored as asked. */
function configOf(embedding: EmbeddingConfig): DlrmConfig {
  const threshold = [...ROWS].sort((a, b) => b - a)[LARGEST - 1];
  const tables = ROWS.map((numEmbeddings, t) => ({
    name: `C${t + 1}`,
    numEmbeddings,
    embedding: numEmbeddings >= threshold ? embedding : DENSE,
  }));
  return { denseFeatures: FEATURES, embeddingDim: 16, bottomMlp: BOTTOM, topMlp: TOP, tables };
}

/** Batches of one id a table, skewed as clicks are: half of the ids fall on about 1 % of the rows. */
function drawBatches(size: number): Batch[] {
  const rng = createRng(2021);
  return Array.from({ length: SAMPLES / size }, () => ({
    size,
    labels: Float32Array.from({ length: size }, () => (rng.uniform() < 0.25 ? 1 : 0)),
    dense: Float32Array.from({ length: size * FEATURES }, rng.normal),
    bags: ROWS.map((rows) => ({ indices: Uint32Array.from({ length: size }, () => Math.floor(rng.uniform() ** 7 * rows)) })),
  }));
}

const runtime = await Runtime.create();
const results: BenchmarkResult[] = [];

for (const size of [128, 2048]) {
  const batches = drawBatches(size);
  const cases = await Promise.all(
    Object.entries(embeddingsFor(batches.length)).map(async ([name, embedding]) => {
      const model = new Dlrm(runtime, configOf(embedding), createRng(1));
      let next = 0;
      const run = (): Promise<number> => model.train(batches[next++ % batches.length], OPTIMIZER);
      return { name, engine: runtime.kernels.engine, run, model };
    }),
  );
  // Every cache is full before the clock starts.
  for (const { run } of cases) for (let i = 0; i < batches.length; i++) await run();
  results.push(
    ...(await runBenchmark({
      id: `dlrm/train-step/B${size}`,
      parameters: { batchSize: size, tables: ROWS.length, ttTables: LARGEST, ranks: 16, embeddingDim: 16, cacheRows: 1000 },
      phase: "train",
      rival: "dense",
      rounds: 7,
      minRoundMs: 150,
      cases,
    })),
  );
  for (const { name, model } of cases) {
    const hits = model.tables.flatMap(({ cache }) => cache?.metrics.hitRate ?? []);
    const rate = hits.length > 0 ? `, hit rate ${(hits.reduce((a, b) => a + b) / hits.length).toFixed(2)}` : "";
    console.log(`B = ${size}, ${name}: ${(model.embeddingParameterBytes / 1e6).toFixed(2)} MB of embeddings${rate}`);
    model.dispose();
  }
  results.push(...(await benchmarkMlp(size)));
}

console.log(report(results));
await saveResults(results);

/** The dense layers of a step alone: both MLPs forward and backward, and their updates. */
function benchmarkMlp(size: number): Promise<BenchmarkResult[]> {
  const interaction = 16 + ((ROWS.length + 1) * ROWS.length) / 2;
  const bottom = new Mlp(runtime, "bottom", FEATURES, BOTTOM, true, createRng(1));
  const top = new Mlp(runtime, "top", interaction, TOP, false, createRng(2));
  const run = (): Promise<void> =>
    runtime.step(async () => {
      for (const [mlp, inputs, wantInput] of [[bottom, FEATURES, false] as const, [top, interaction, true] as const]) {
        const input = runtime.scratch([size, inputs]);
        input.data.fill(0.5);
        const trace = await mlp.forward(input);
        const gradient = runtime.rawScratch(trace[trace.length - 1].shape);
        gradient.data.fill(1e-6);
        await mlp.backward(trace, gradient, wantInput);
        await runtime.kernels.update(
          RULE,
          mlp.parameters.map((parameter) => parameter.updateBy(RULE)),
        );
      }
    });
  // Each weight is used once forward and twice backward, but the bottom MLP's input needs no gradient.
  const count = (widths: readonly number[]): number => widths.slice(1).reduce((sum, width, i) => sum + width * widths[i], 0);
  const uses = 3 * (count([FEATURES, ...BOTTOM]) + count([interaction, ...TOP])) - FEATURES * BOTTOM[0];
  return runBenchmark({
    id: `dlrm/mlp-step/B${size}`,
    parameters: { batchSize: size, bottom: BOTTOM.join("-"), top: TOP.join("-") },
    phase: "train",
    rounds: 7,
    cases: [{ name: "mlp", engine: runtime.kernels.engine, work: { amount: (2 * size * uses) / 1e9, unit: "GFLOP" }, run }],
  });
}
