import { createRng } from "@tt-rec/tensor";
import { allClose, copyState, finiteDifferences } from "@tt-rec/testing";
import test, { type ExecutionContext } from "ava";
import { type Batch, Dlrm, type DlrmConfig, type EmbeddingConfig, type TableConfig, type TablePooling } from "../src/index.ts";
import { defineLogits, defineLoss, parametersOf } from "./model-definition.ts";
import { EMBEDDINGS, MIXED, randomBatch, runtime } from "./support.ts";

// A runtime has one step at a time, so tests that use it are serial.

/** Every other embedding, interaction and pooling, too. */
const OTHERS: readonly Partial<DlrmConfig>[] = [
  { interaction: { kind: "dot", self: true }, tables: tablesOf(EMBEDDINGS.hash, EMBEDDINGS.qrMult, EMBEDDINGS.removed) },
  {
    interaction: { kind: "cat" },
    tables: tablesOf(EMBEDDINGS.qrAdd, EMBEDDINGS.qrConcat, EMBEDDINGS.mixed),
    lossWeights: [0.5, 3],
  },
  { interaction: { kind: "cross", layers: 2, rank: 3 }, tables: tablesOf(EMBEDDINGS.lowRank, EMBEDDINGS.hotRows, EMBEDDINGS.tt) },
  {
    interaction: { kind: "cat" },
    tables: tablesOf(EMBEDDINGS.tt, EMBEDDINGS.lowRank, EMBEDDINGS.qrMult, "mean"),
    mlpInitializer: "he",
  },
  { denseFeatures: 0, bottomMlp: [], interaction: { kind: "cross", layers: 1, rank: 2 }, tables: MIXED.tables.slice(0, 1) },
];

/** Three tables of 29 rows and a small dense one. */
function tablesOf(a: EmbeddingConfig, b: EmbeddingConfig, c: EmbeddingConfig, pooling?: TablePooling): TableConfig[] {
  const large = [a, b, c].map((embedding, i) => ({ name: `t${i}`, numEmbeddings: 29, embedding, ...(pooling && { pooling }) }));
  return [...large, { name: "small", numEmbeddings: 7, embedding: EMBEDDINGS.dense }];
}

/** Exact: the step moves the weights by the rate times the gradient, and so large a rate leaves no rounding to speak of. */
const PROBE = 2 ** 20;

async function checkGradients(
  t: ExecutionContext,
  config: DlrmConfig,
  seed: number,
  change: (batch: Batch) => Batch = (batch) => batch,
): Promise<void> {
  const model = new Dlrm(runtime, config, createRng(seed));
  // Fills the caches without moving a weight.
  await model.train(change(randomBatch(config, 11, seed + 1)), { kind: "sgd", learningRate: 0 });
  const batch = change(randomBatch(config, 17, seed + 2));
  const before = parametersOf(copyState(await model.state()));
  allClose(t, await model.score(batch), defineLogits(config, before, batch), 1e-5);
  const probabilities = defineLogits(config, before, batch).map((z) => 1 / (1 + Math.exp(-z)));
  allClose(t, await model.predict(batch), probabilities, 1e-5);

  const loss = await model.train(batch, { kind: "sgd", learningRate: PROBE });
  allClose(t, [loss], [defineLoss(config, before, batch)], 1e-5);
  const after = parametersOf(await model.state());
  t.deepEqual([...after.keys()], [...before.keys()]);
  for (const [name, values] of before) {
    if (name.endsWith("cache.ids")) continue;
    const moved = (x: Float64Array): number => defineLoss(config, new Map([...before, [name, x]]), batch);
    const actual = (after.get(name) ?? []).map((w, i) => (values[i] - w) / PROBE);
    const expected = finiteDifferences(moved, values, 1e-6);
    t.true(
      expected.some((g) => Math.abs(g) > 1e-6),
      `the gradient of ${name} vanishes, which would prove nothing`,
    );
    allClose(t, actual, expected, 1e-4);
  }
  model.dispose();
}

test.serial("logits, loss and the gradients of all parameters agree with the definition and finite differences", (t) =>
  checkGradients(t, MIXED, 3),
);

test.serial("the same holds without dense features", (t) => checkGradients(t, { ...MIXED, denseFeatures: 0, bottomMlp: [] }, 5));

test.serial("the same holds for one table beside the dense features, and one linear layer", (t) =>
  checkGradients(t, { ...MIXED, bottomMlp: [6], topMlp: [1], tables: MIXED.tables.slice(1, 2) }, 9),
);

for (const [i, part] of OTHERS.entries()) {
  test.serial(`the same holds for other parts: ${i}`, (t) => checkGradients(t, { ...MIXED, ...part }, 20 + i));
}

test.serial("the same holds for max pooling", async (t) => {
  const config = { ...MIXED, tables: tablesOf(EMBEDDINGS.dense, EMBEDDINGS.tt, EMBEDDINGS.hash, "max") };
  await checkGradients(t, config, 30, (batch) => ({ ...batch, bags: batch.bags.map(({ weights, ...bags }) => bags) }));
});

test.serial("the same holds with one id a bag and no offsets", async (t) => {
  const model = new Dlrm(runtime, MIXED, createRng(1));
  const rng = createRng(2);
  const bags = MIXED.tables.map(({ numEmbeddings }) => ({
    indices: Uint32Array.from({ length: 7 }, () => Math.floor(rng.uniform() * numEmbeddings)),
  }));
  const batch = { ...randomBatch(MIXED, 7, 3), bags };
  allClose(t, await model.score(batch), defineLogits(MIXED, parametersOf(await model.state()), batch), 1e-5);
});
