import { createRng, memoryDirectory } from "@tt-rec/tensor";
import { GpuDevice, GpuTTEmbeddingBag } from "@tt-rec/tt-kernels/gpu";
import test from "ava";
import { Dlrm, loadCheckpoint, saveCheckpoint, type TTTableMaker } from "../src/index.ts";
import { gpuTraining } from "./gpu-training.ts";
import { bitsOf, EMBEDDINGS, OPTIMIZERS, randomBatch, runtime, smallConfig } from "./support.ts";

const device = await GpuDevice.open({ mode: "webasm" });
const ttTables: TTTableMaker = {
  engine: "gpu-webasm",
  make: (owner, options) => new GpuTTEmbeddingBag(owner, device, options),
};

test.serial(gpuTraining.name, (t) => gpuTraining.run(t, { device, runtime }));

test.serial("a checkpoint moves between CPU and device, and names the engine that saved it", async (t) => {
  const config = smallConfig(EMBEDDINGS.tt);
  const onGpu = new Dlrm(runtime, config, createRng(3), { ttTables });
  for (let step = 0; step < 3; step++) await onGpu.train(randomBatch(config, 17, step), OPTIMIZERS.adagrad);
  const directory = memoryDirectory();
  const run = { epochs: 1, batchSize: 17, optimizer: OPTIMIZERS.adagrad, shuffle: false, seed: 3 };
  await saveCheckpoint(directory, onGpu, run, { step: 3, epoch: 0, batch: 3 });
  const { model, manifest } = await loadCheckpoint(runtime, directory);
  t.is(manifest.engine, `${runtime.kernels.engine}, TT on gpu-webasm`);
  t.is(model.engine, runtime.kernels.engine);
  t.is(bitsOf(await model.state()), bitsOf(await onGpu.state()));
  t.is(model.embeddingBytes, onGpu.embeddingBytes);
  const back = await loadCheckpoint(runtime, directory, { ttTables });
  t.is(bitsOf(await back.model.state()), bitsOf(await onGpu.state()));
  for (const each of [onGpu, model, back.model]) each.dispose();
});

test.serial("a cached table is refused on a device", (t) => {
  t.throws(() => new Dlrm(runtime, smallConfig(EMBEDDINGS.cached), createRng(1), { ttTables }), {
    code: "E_OPTION",
    message: "table large has a cache, and cached tables do not run on gpu-webasm",
  });
});

test.after.always(() => device.close());
