import { readdir, readFile } from "node:fs/promises";
import { createRng, type HostTensor, type NamedTensors } from "@tt-rec/tensor";
import { allClose, copyState } from "@tt-rec/testing";
import test from "ava";
import { type Batch, Dlrm, type DlrmConfig, type OptimizerConfig } from "../src/index.ts";
import { runtime } from "./support.ts";

/** What `vectors/make-vectors.py` writes. */
interface Vector {
  readonly about: string;
  readonly config: DlrmConfig;
  readonly optimizer: OptimizerConfig;
  readonly batch: {
    readonly labels: readonly number[];
    readonly dense: readonly number[];
    readonly bags: readonly {
      readonly indices: readonly number[];
      readonly offsets: readonly number[];
      readonly weights?: readonly number[];
    }[];
  };
  readonly weights: Readonly<Record<string, readonly number[]>>;
  readonly losses: readonly number[];
  readonly gradients: Readonly<Record<string, readonly number[]>>;
  readonly updated: Readonly<Record<string, readonly number[]>>;
}

/** From the compiled test to the sources, where the files are. */
const VECTORS = new URL("../../test/vectors/", import.meta.url);

/** Exact: the step moves the weights by the rate times the gradient, and so large a rate leaves no rounding to speak of. */
const PROBE = 2 ** 20;

function batchOf({ labels, dense, bags }: Vector["batch"]): Batch {
  return {
    size: labels.length,
    labels: Float32Array.from(labels),
    dense: Float32Array.from(dense),
    bags: bags.map(({ indices, offsets, weights }) => ({
      indices: Uint32Array.from(indices),
      offsets: Uint32Array.from(offsets),
      ...(weights && { weights: Float32Array.from(weights) }),
    })),
  };
}

async function withWeights(model: Dlrm, weights: Vector["weights"]): Promise<NamedTensors> {
  const names = [...(await model.state()).keys()].sort();
  const known = Object.keys(weights).sort();
  if (String(names) !== String(known)) throw new Error(`the model has ${names}, the vector ${known}`);
  const entries = [...copyState(await model.state())].map(([name, tensor]): [string, HostTensor] => [
    name,
    { dtype: "F32", shape: tensor.shape, data: Float32Array.from(weights[name]) },
  ]);
  return new Map(entries);
}

const files = (await readdir(VECTORS)).filter((file) => file.endsWith(".json"));
const vectors = await Promise.all(
  files.map(async (file) => ({ file, vector: JSON.parse(await readFile(new URL(file, VECTORS), "utf8")) as Vector })),
);

for (const { file, vector } of vectors) {
  const { about, config, optimizer, losses, gradients, updated } = vector;
  test.serial(`${file} (${about}): loss, gradients and the weights after two steps are PyTorch's to 1e-5`, async (t) => {
    const batch = batchOf(vector.batch);
    const model = new Dlrm(runtime, config, createRng(1));
    const start = await withWeights(model, vector.weights);
    await model.load(start);
    allClose(t, [await model.train(batch, { kind: "sgd", learningRate: PROBE })], [losses[0]], 1e-5);
    const probed = copyState(await model.state());
    for (const [name, expected] of Object.entries(gradients)) {
      const [from, to] = [vector.weights[name], probed.get(name)?.data ?? []];
      const actual = from.map((w, i) => (w - Number(to[i])) / PROBE);
      t.true(expected.some((g) => g !== 0));
      allClose(t, actual, expected, 1e-5);
    }
    for (const options of [{}, { microBatch: 3 }]) {
      await model.load(start);
      for (const [i, loss] of losses.entries()) {
        allClose(t, [await model.train(batch, optimizer, { step: i + 1, ...options })], [loss], 1e-5);
      }
      const state = await model.state();
      for (const [name, expected] of Object.entries(updated))
        allClose(t, Array.from(state.get(name)?.data ?? [], Number), expected, 1e-5);
    }
    model.dispose();
  });
}

test("there are vectors of every kind", (t) => {
  t.is(files.length, 17);
});
