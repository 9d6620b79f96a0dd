import { createRng, Runtime } from "@tt-rec/tensor";
import test from "ava";
import { Dlrm, type DlrmConfig, type OptimizerConfig } from "../src/index.ts";
import { EMBEDDINGS, randomBatch, smallConfig } from "./support.ts";

const STEPS = process.env.TT_REC_LONG ? 20_000 : 300;

/** Every embedding, so that none keeps anything of a step. */
const CONFIG: DlrmConfig = {
  ...smallConfig(EMBEDDINGS.tt),
  interaction: { kind: "cross", layers: 2, rank: 3 },
  tables: Object.entries(EMBEDDINGS).map(([name, embedding]) => ({ name, numEmbeddings: 29, embedding })),
};

const OPTIMIZERS: readonly OptimizerConfig[] = [
  { kind: "adagrad", learningRate: 1e-6 },
  { kind: "adam", learningRate: 1e-6, clipNorm: 1, weightDecay: 1e-4, embeddingL2: 1e-3 },
];

test(`${STEPS} steps take no more memory than a hundred`, async (t) => {
  t.timeout(600_000);
  const runtime = await Runtime.create();
  const model = new Dlrm(runtime, CONFIG, createRng(1));
  const batches = Array.from({ length: 13 }, (_, seed) => randomBatch(CONFIG, 31, seed));
  const held = (): number[] => [runtime.scratchBytes, runtime.host.bytes.length, model.embeddingBytes, model.mlpBytes];
  let [known, heap] = [held(), 0];
  for (let step = 1; step <= STEPS; step++) {
    const options = { step, ...(step % 3 === 0 && { microBatch: 7 }) };
    await model.train(batches[step % batches.length], OPTIMIZERS[step % 2], options);
    if (step !== 100) continue;
    known = held();
    heap = process.memoryUsage().heapUsed;
  }
  t.deepEqual(held(), known);
  // The collector decides when; what 20,000 steps would leave is far more than this.
  if (STEPS > 1000) t.true(process.memoryUsage().heapUsed - heap < 64e6);
  await runtime.close();
});
