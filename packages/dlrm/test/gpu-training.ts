import { createRng, type Runtime } from "@tt-rec/tensor";
import { type GpuDevice, GpuTTEmbeddingBag } from "@tt-rec/tt-kernels/gpu";
import { Dlrm, type DlrmConfig, type TTTableMaker } from "../src/index.ts";
import { syntheticSource } from "./synthetic-source.ts";

const STEPS = 200;

/** Two TT tables and a small one that is not compressed. */
const CONFIG: DlrmConfig = {
  denseFeatures: 3,
  embeddingDim: 8,
  bottomMlp: [11, 8],
  topMlp: [13, 1],
  tables: [
    { name: "a", numEmbeddings: 385, embedding: { kind: "tt", ranks: 5, rowShape: [7, 11, 5], columnShape: [2, 2, 2] } },
    { name: "b", numEmbeddings: 201, embedding: { kind: "tt", ranks: 3, rowShape: [3, 7, 2, 5], columnShape: [2, 1, 2, 2] } },
    { name: "c", numEmbeddings: 7, embedding: { kind: "dense" } },
  ],
};

/** The training losses of a model, step by step. */
async function losses(model: Dlrm): Promise<number[]> {
  const curve: number[] = [];
  const optimizer = { kind: "adagrad", learningRate: 0.05, eps: 1e-8 } as const;
  for await (const batch of syntheticSource(CONFIG, 31 * STEPS).batches({ split: "train", batchSize: 31 })) {
    curve.push(await model.train(batch, optimizer));
  }
  return curve;
}

/** A case for every device: under AVA, and in a page. */
export const gpuTraining: {
  readonly name: string;
  run(
    t: { pass(): unknown; fail(message: string): unknown },
    bench: { readonly device: GpuDevice; readonly runtime: Runtime },
  ): Promise<void>;
} = {
  name: `${STEPS} steps of a small DLRM lose within 1e-4 of the same as with the TT tables on the CPU`,
  async run(t, { device, runtime }) {
    const onCpu = new Dlrm(runtime, CONFIG, createRng(5));
    const ttTables: TTTableMaker = {
      engine: device.mode,
      make: (owner, options) => new GpuTTEmbeddingBag(owner, device, options),
    };
    const onGpu = new Dlrm(runtime, CONFIG, createRng(5), { ttTables });
    const [expected, actual] = [await losses(onCpu), await losses(onGpu)];
    const worst = Math.max(...actual.map((loss, i) => Math.abs(loss - expected[i])));
    const learned = expected.slice(0, 20).reduce((a, b) => a + b, 0) - expected.slice(-20).reduce((a, b) => a + b, 0);
    onCpu.dispose();
    onGpu.dispose();
    if (!(expected.length === STEPS && learned > 1))
      t.fail(`the CPU's model did not learn: ${learned} in ${expected.length} steps`);
    if (worst <= 1e-4) t.pass();
    else t.fail(`a loss differs by ${worst}, 1e-4 allowed`);
  },
};
