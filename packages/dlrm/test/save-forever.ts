/**
 * A program that is killed by the tests of `saveCheckpoint`: it saves one model over and over, from where the folder's
 * checkpoint left off. The bias of the top MLP tells the step, so that weights and manifest can be seen to belong together.
 */
import { createRng, type HostTensor, Runtime } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { Dlrm, loadCheckpoint, saveCheckpoint, type TrainingConfig } from "../src/index.ts";
import { EMBEDDINGS, OPTIMIZERS, smallConfig } from "./support.ts";

const RUN: TrainingConfig = { epochs: 1, batchSize: 8, optimizer: OPTIMIZERS.sgd, shuffle: false, seed: 1 };

const directory = nodeDirectory(process.argv[2]);
const runtime = await Runtime.create();
const started = (await directory.list()).includes("checkpoint.json");
let step = started ? (await loadCheckpoint(runtime, directory)).manifest.progress.step : 0;
const model = new Dlrm(runtime, smallConfig(EMBEDDINGS.cached), createRng(1));

for (;;) {
  step++;
  const state = await model.state();
  (state.get("top.1.bias") as HostTensor).data[0] = step;
  await model.load(new Map(state));
  await saveCheckpoint(directory, model, RUN, { step, epoch: 0, batch: step });
  process.stdout.write(`${step}\n`);
}
