import { createRng, type HostTensor, isTtError, type NamedTensors } from "@tt-rec/tensor";
import { copyState } from "@tt-rec/testing";
import test, { type ExecutionContext } from "ava";
import { type Batch, Dlrm } from "../src/index.ts";
import { bitsOf, EMBEDDINGS, KINDS, parametersOnly, randomBatch, runtime, smallConfig } from "./support.ts";

// A runtime has one step at a time, so tests that use it are serial.

/** A parameter of the table of each kind, through which all its rows go. */
const PARTS: Readonly<Record<(typeof KINDS)[number], string>> = {
  dense: "table",
  tt: "core.1",
  cached: "core.1",
  hash: "rows",
  qrMult: "remainder",
  mixed: "projection",
  hotRows: "rows",
};

/** Overwrites elements of a state. */
function poisoned(state: NamedTensors, values: Record<string, number | Record<number, number>>): NamedTensors {
  const copy = copyState(state);
  for (const [name, value] of Object.entries(values)) {
    const { data } = copy.get(name) as HostTensor;
    if (typeof value === "number") data.fill(value);
    else for (const [i, v] of Object.entries(value)) data[Number(i)] = v;
  }
  return copy;
}

async function refuses(
  t: ExecutionContext,
  model: Dlrm,
  batch: Batch,
  message: RegExp,
  tensor: string | undefined,
): Promise<void> {
  for (const kind of ["sgd", "adagrad"] as const) {
    const before = bitsOf(parametersOnly(await model.state()));
    const error = await t.throwsAsync(model.train(batch, { kind, learningRate: 0.1 }), { message });
    t.true(isTtError(error) && error.code === "E_NONFINITE" && error.where.tensor === tensor, `${error}`);
    t.is(bitsOf(parametersOnly(await model.state())), before, "something was written");
  }
}

for (const kind of KINDS) {
  test.serial(`${kind}: a NaN or an infinity in the model or the batch is E_NONFINITE, and no parameter moves`, async (t) => {
    const config = smallConfig(EMBEDDINGS[kind]);
    const model = new Dlrm(runtime, config, createRng(1));
    const healthy = copyState(await model.state());
    const part = `table.large.${PARTS[kind]}`;
    const ids = Uint32Array.of(0, 7, 14, 21, 28);
    const batch = { ...randomBatch(config, 5, 3), bags: [{ indices: Uint32Array.of(0, 1, 2, 3, 4) }, { indices: ids }] };
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      await model.load(poisoned(healthy, { [part]: value }));
      await refuses(t, model, batch, /rows of table large are not finite/, "large");
    }
    await model.load(healthy);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const error = await t.throwsAsync(
        model.train({ ...batch, dense: batch.dense.map(() => value) }, { kind: "sgd", learningRate: 1 }),
      );
      t.true(isTtError(error) && error.code === "E_NONFINITE", `${value}: ${error}`);
      t.is(bitsOf(parametersOnly(await model.state())), bitsOf(parametersOnly(healthy)));
    }
    const labels = batch.labels.map(() => Number.NaN);
    await refuses(t, model, { ...batch, labels }, /the loss is NaN/, undefined);
    t.true(Number.isFinite(await model.train(batch, { kind: "sgd", learningRate: 0.1 })), "the model still learns");
  });
}

for (const kind of ["dense", "tt", "cached"] as const) {
  test.serial(`${kind}: a table gradient that overflows under a finite loss is E_NONFINITE with the table`, async (t) => {
    // The product of the tables is 0, but its gradient in the zero table is the other table's 3e38 times the top weights.
    const config = { ...smallConfig(EMBEDDINGS[kind]), denseFeatures: 0, bottomMlp: [], topMlp: [1] };
    const model = new Dlrm(runtime, config, createRng(1));
    const healthy = copyState(await model.state());
    const zero =
      kind === "dense"
        ? { "table.large.table": 0 }
        : { "table.large.core.0": 1, "table.large.core.1": 1, "table.large.core.2": 0 };
    await model.load(poisoned(healthy, { "table.small.table": 3e38, "top.0.weight": 100, ...zero }));
    const batch = {
      ...randomBatch(config, 3, 3),
      bags: [{ indices: Uint32Array.of(0, 1, 2) }, { indices: Uint32Array.of(3, 4, 5) }],
    };
    await refuses(t, model, batch, /gradient of table large is not finite/, "large");
  });
}

test.serial("an MLP gradient that overflows under a finite loss is E_NONFINITE with the parameter", async (t) => {
  const config = { ...smallConfig(EMBEDDINGS.dense), bottomMlp: [6], topMlp: [1] };
  const model = new Dlrm(runtime, config, createRng(1));
  const healthy = await model.state();
  await model.load(poisoned(healthy, { "bottom.0.weight": 0, "bottom.0.bias": 1, "top.0.weight": 100, "table.small.table": 1 }));
  const batch = { ...randomBatch(config, 1, 3), bags: [{ indices: Uint32Array.of(0) }, { indices: Uint32Array.of(1) }] };
  // A zero weight hides the feature from the loss; the gradient of that weight is the feature times a large number.
  const hidden = { ...batch, labels: Float32Array.of(0), dense: Float32Array.of(3e38, 1, 1) };
  await refuses(t, model, hidden, /gradient of bottom\.0\.weight is not finite/, "bottom.0.weight");
});
