/**
 * Trains a model of Criteo Terabyte's cardinalities, 49 million rows of 64 columns, with its seven largest tables in TT format, in a
 * process of its own so that the peak memory is its own. `node terabyte-model.js STEPS BATCH RANKS THREADS SEED` prints a JSON line.
 */
import "@tt-rec/testing/relaxed-simd";
import { Dlrm } from "@tt-rec/dlrm";
import { createRng, Runtime } from "@tt-rec/tensor";
import { quantile } from "@tt-rec/testing";
import { TERABYTE_CARDINALITIES } from "@tt-rec/tt-math";
import { topTables } from "../../common/top-tables.ts";
import { drawBatches } from "../harness/drawn-batches.ts";

const DENSE_FEATURES = 13;
const EMBEDDING_DIM = 64;
const TT_TABLES = 7;

const [steps, batchSize, ranks, threads, seed] = process.argv.slice(2).map(Number);
const runtime = await Runtime.create({ threads });
const tables = topTables(TERABYTE_CARDINALITIES, TT_TABLES, () => ({ kind: "tt", ranks }));
const mlps = { bottomMlp: [512, 256, EMBEDDING_DIM], topMlp: [512, 512, 256, 1] };
const model = new Dlrm(runtime, { denseFeatures: DENSE_FEATURES, embeddingDim: EMBEDDING_DIM, ...mlps, tables }, createRng(seed));
const draw = drawBatches(TERABYTE_CARDINALITIES, DENSE_FEATURES, batchSize, seed);
const times: number[] = [];
let loss = Number.NaN;
for (let step = 0; step < steps; step++) {
  const [batch] = draw(1);
  const start = performance.now();
  loss = await model.train(batch, { kind: "sgd", learningRate: 0.1 });
  times.push(performance.now() - start);
}
const uncompressed = 4 * EMBEDDING_DIM * TERABYTE_CARDINALITIES.reduce((sum, rows) => sum + rows, 0);
// The process's peak is in kB.
const peak = 1024 * process.resourceUsage().maxRSS;
console.log(JSON.stringify({ peak, stepMs: quantile(times, 0.5), loss, bytes: model.embeddingParameterBytes, uncompressed }));
await runtime.close();
