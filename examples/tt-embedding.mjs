// A TT embedding in ten lines: ten million rows of 16 numbers in half a megabyte, looked up and trained.
import { createRng, Runtime } from "@tt-rec/tensor";
import { TTEmbeddingBag } from "@tt-rec/tt-kernels";
import { createTTShape, initializeCores } from "@tt-rec/tt-math";

const runtime = await Runtime.create();
const shape = createTTShape({ numEmbeddings: 10_131_227, embeddingDim: 16, ranks: 16 });
const cores = initializeCores(shape, createRng(1), { kind: "sampled-gaussian", scaling: "variance-matched" });
const bag = new TTEmbeddingBag(runtime, { shape, cores });
// Two bags: the sum of rows 7 and 3,000,000, and row 7.
const bags = { indices: Uint32Array.of(7, 3_000_000, 7), offsets: Uint32Array.of(0, 2, 3) };
for (let step = 0; step < 3; step++) {
  await runtime.step(async () => {
    const plan = bag.plan(bags, { training: true });
    const rows = await bag.forward(plan);
    const loss = rows.data.reduce((sum, value) => sum + (value - 1) ** 2 / 2, 0);
    console.log(`step ${step}: loss ${loss.toFixed(4)}, ${bag.bytes} bytes`);
    // The loss asks every number to become 1; its gradient is the difference.
    for (let i = 0; i < rows.size; i++) rows.data[i] -= 1;
    await bag.step(plan, rows, { kind: "adagrad", learningRate: 0.1 });
  });
}
await runtime.close();
