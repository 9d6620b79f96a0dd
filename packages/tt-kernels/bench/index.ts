import { createRng, type Rng, Runtime, type UpdateRule } from "@tt-rec/tensor";
import { type BenchmarkResult, report, runBenchmark, saveResults } from "@tt-rec/testing";
import { createTTShape, initializeCores, type TTShape } from "@tt-rec/tt-math";
import { DenseEmbeddingBag, type EmbeddingBag, TTEmbeddingBag } from "../src/index.ts";
import { chainExtents } from "../src/reference/chain.ts";
import { buildPrefixTree } from "../src/reference/prefix-tree.ts";
import { groupRows } from "../src/reference/row-groups.ts";
import { type ChainBatch, NaiveChain } from "./naive-chain.ts";

/** The largest table of Criteo Kaggle. */
const ROWS = 10_131_227;
const DIM = 16;
const BATCH_SIZE = 2048;
/** Batches that a case goes through in turn, so that none stays in a cache. */
const BATCHES = 4;
const RULE: UpdateRule = { kind: "sgd", learningRate: 1e-6 };
const TRAINING = { training: true };

/** Bounded power law by inversion of its continuous form; 0 is the most frequent id. */
function zipf(rng: Rng, exponent: number): number {
  const power = 1 - exponent;
  return Math.floor((1 + rng.uniform() * ((ROWS + 1) ** power - 1)) ** (1 / power)) - 1;
}

function drawBatches(pooling: number, ids: string): ChainBatch[] {
  const rng = createRng(7);
  const offsets = Uint32Array.from({ length: BATCH_SIZE + 1 }, (_, bag) => bag * pooling);
  const draw = ids === "zipf" ? () => Math.min(ROWS - 1, zipf(rng, 1.05)) : () => Math.floor(rng.uniform() * ROWS);
  return Array.from({ length: BATCHES }, () => ({
    indices: Uint32Array.from({ length: BATCH_SIZE * pooling }, draw),
    offsets,
  }));
}

/** Multiplications and additions of one lookup's chain forward, mean of the batches, after and before deduplication. */
function chainFlops(shape: TTShape, batches: readonly ChainBatch[]): { executed: number; nominal: number } {
  const { left, rank, right } = chainExtents(shape.columnShape, shape.ranks);
  let [executed, nominal] = [0, 0];
  for (const { indices } of batches) {
    for (const [k, { count }] of buildPrefixTree(groupRows(indices).uniqueRows, shape.rowShape).entries()) {
      if (k === 0) continue;
      const product = (2 * left[k] * rank[k] * right[k]) / (indices.length * batches.length);
      executed += count * product;
      nominal += indices.length * product;
    }
  }
  return { executed, nominal };
}

function inTurn<T>(batches: readonly ChainBatch[], run: (batch: ChainBatch) => T): () => T {
  let next = 0;
  return () => run(batches[next++ % batches.length]);
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

const runtime = await Runtime.create();
const outputGradient = Float32Array.from({ length: BATCH_SIZE * DIM }, createRng(3).normal);

function forward(bag: EmbeddingBag, batch: ChainBatch): Promise<number> {
  return runtime.step(async () => (await bag.forward(bag.plan(batch, TRAINING))).data[0]);
}

function step(bag: EmbeddingBag, batch: ChainBatch): Promise<void> {
  return runtime.step(async () => {
    const plan = bag.plan(batch, TRAINING);
    const gradient = runtime.scratch((await bag.forward(plan)).shape);
    gradient.data.set(outputGradient);
    await bag.step(plan, gradient, RULE);
  });
}

async function checkRival(tt: TTEmbeddingBag, chain: NaiveChain, batch: ChainBatch): Promise<void> {
  const ours = await runtime.step(async () => (await tt.forward(tt.plan(batch, TRAINING))).data.slice());
  const theirs = chain.forward(batch);
  const largest = theirs.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  if (theirs.some((value, i) => !(Math.abs(value - ours[i]) <= 1e-4 * largest))) throw new Error("the rivals disagree");
}

const dense = new DenseEmbeddingBag(runtime, {
  numEmbeddings: ROWS,
  embeddingDim: DIM,
  // Pages that were never written share one page of zeros, and would be read too fast.
  initialize: (table) => table.fill(1e-3),
});
const results: BenchmarkResult[] = [];
for (const ranks of [16, 32]) {
  const shape = createTTShape({
    numEmbeddings: ROWS,
    embeddingDim: DIM,
    rowShape: [200, 220, 250],
    columnShape: [2, 2, 4],
    ranks,
  });
  const cores = initializeCores(shape, createRng(2021), { kind: "sampled-gaussian", scaling: "variance-matched" });
  const tt = new TTEmbeddingBag(runtime, { shape, cores });
  const chain = new NaiveChain(shape, cores);
  for (const pooling of [1, 10]) {
    for (const ids of ["uniform", "zipf"]) {
      const batches = drawBatches(pooling, ids);
      await checkRival(tt, chain, batches[0]);
      const flops = chainFlops(shape, batches);
      for (const phase of ["forward", "step"]) {
        const passes = phase === "forward" ? 1 : 3;
        const parameters = {
          ...{ rows: ROWS, embeddingDim: DIM, rowShape: "200x220x250", columnShape: "2x2x4", ranks, batchSize: BATCH_SIZE },
          ...{ pooling, ids, flopsPerLookup: Math.round(passes * flops.executed) },
          nominalFlopsPerLookup: Math.round(passes * flops.nominal),
        };
        const measured = await runBenchmark({
          id: `tt-${phase}/R${ranks}/P${pooling}/${ids}`,
          parameters,
          phase,
          rival: "vs-chain",
          rounds: 3,
          minRoundMs: 20,
          cases: [
            {
              name: "tt",
              engine: "reference",
              run: inTurn(batches, (batch) => (phase === "forward" ? forward(tt, batch) : step(tt, batch))),
            },
            {
              name: "dense",
              engine: "reference",
              run: inTurn(batches, (batch) => (phase === "forward" ? forward(dense, batch) : step(dense, batch))),
            },
            {
              name: "vs-chain",
              engine: "naive chain, TypeScript",
              run: inTurn(batches, (batch) => {
                const out = chain.forward(batch);
                if (phase === "step") chain.step(batch, outputGradient, RULE.learningRate);
                return out;
              }),
            },
          ],
        });
        results.push(...perLookup(measured, BATCH_SIZE * pooling));
      }
    }
  }
  tt.dispose();
}

console.log(report(results));
console.log("\nFLOPs of the TT chain per lookup, executed after deduplication and nominal");
for (const { id, case: parameters, median } of results.filter(({ id }) => id.endsWith("/tt"))) {
  const executed = Number(parameters.flopsPerLookup);
  const rate = (executed / median).toFixed(2);
  console.log(
    `${id.padEnd(32)} ${String(executed).padStart(6)} of ${String(parameters.nominalFlopsPerLookup).padStart(6)}, ${rate} GFLOP/s`,
  );
}
await saveResults(results);
