// Scores in a worker thread: the main thread trains and saves a model, a worker loads it and answers batches by message.
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Dlrm, loadCheckpoint, saveCheckpoint } from "@tt-rec/dlrm";
import { createRng, Runtime } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";

const runtime = await Runtime.create({ threads: 1 });
if (isMainThread) await trainAndAsk();
else await answer();

async function trainAndAsk() {
  const tables = [{ name: "page", numEmbeddings: 100_000, embedding: { kind: "tt", ranks: 8 } }];
  const model = new Dlrm(runtime, { denseFeatures: 1, embeddingDim: 16, bottomMlp: [16], topMlp: [16, 1], tables }, createRng(1));
  const training = { epochs: 1, batchSize: 64, optimizer: { kind: "adagrad", learningRate: 0.05 }, shuffle: false, seed: 1 };
  const rng = createRng(2);
  for (let step = 0; step < 300; step++) await model.train(drawBatch(64, rng), training.optimizer);
  const folder = await mkdtemp(join(tmpdir(), "tt-rec-example-"));
  await saveCheckpoint(nodeDirectory(folder), model, training, { step: 300, epoch: 1, batch: 0 });

  const worker = new Worker(new URL(import.meta.url), { workerData: folder });
  const batch = drawBatch(8, rng);
  worker.postMessage(batch);
  const [scores] = await new Promise((resolve) => worker.once("message", (...message) => resolve(message)));
  console.log(`clicked ${batch.labels.join(" ")}`);
  console.log(`scored  ${[...scores].map((score) => score.toFixed(2)).join(" ")}`);
  const here = await model.predict(batch);
  console.log(here.every((score, i) => score === scores[i]) ? "the same bits as here" : "other bits than here");
  await worker.terminate();
  await runtime.close();
}

async function answer() {
  const { model } = await loadCheckpoint(runtime, nodeDirectory(workerData));
  // Batches are plain typed arrays, so they cross as they are.
  parentPort.on("message", async (batch) => parentPort.postMessage(await model.predict(batch)));
}

/** Pages of even numbers are clicked. */
function drawBatch(size, rng) {
  const indices = Uint32Array.from({ length: size }, () => Math.floor(50 * rng.uniform()));
  return {
    size,
    labels: Float32Array.from(indices, (id) => 1 - (id % 2)),
    dense: new Float32Array(size).fill(1),
    bags: [{ indices }],
  };
}
