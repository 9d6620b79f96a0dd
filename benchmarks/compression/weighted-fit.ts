/**
 * Trains a model of two dense tables on ml-1m or gowalla, compresses the tables at several ranks without and with their access
 * counts, and measures the errors and what the model loses. Prints a table; --json FILE writes a JSON line a case.
 */
import { appendFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { evaluate } from "@tt-rec/dlrm";
import { type HostTensor, Runtime } from "@tt-rec/tensor";
import { alignColumns, describeMachine, describeSource } from "@tt-rec/testing";
import {
  approximationError,
  compressionRatio,
  createTTShape,
  dequantizeCores,
  quantizeCores,
  rowsInMemory,
  type TTCores,
  toDense,
  ttSvd,
  weightedFit,
} from "@tt-rec/tt-math";
import { loadInteractions } from "./interactions.ts";
import { DIM, trainTwoTowers } from "./two-towers.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string", default: "ml-1m" },
    ranks: { type: "string", default: "4,8,16" },
    epochs: { type: "string", default: "2" },
    json: { type: "string" },
  },
});
const NAMES = ["user", "item"] as const;

if (process.versions.node.startsWith("20.")) setFlagsFromString("--experimental-wasm-relaxed-simd");
const runtime = await Runtime.create({ threads: 2 });
const data = loadInteractions(values.data === "gowalla" ? "gowalla" : "ml-1m");
const model = await trainTwoTowers(runtime, data, {
  embedding: { kind: "dense" },
  optimizer: { kind: "adagrad", learningRate: 0.05 },
  epochs: Number(values.epochs),
  seed: 1,
});
const trained = new Map(
  [...(await model.state())].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() } as HostTensor]),
);
const tables = NAMES.map((name) => trained.get(`table.${name}.table`)?.data as Float32Array);

/** Test metrics of the model with other rows in its tables. */
async function scoreWith(found: readonly Float32Array[]) {
  const state = new Map(trained);
  for (const [t, name] of NAMES.entries()) {
    state.set(`table.${name}.table`, { dtype: "F32", shape: [data.cardinalities[t], DIM], data: found[t] });
  }
  await model.load(state);
  return evaluate(model, data.source, "test");
}

const dense = await scoreWith(tables);
const head = ["ranks", "ratio", "fit", "plain user", "plain item", "weighted user", "weighted item", "log-loss", "AUC", "s"];
const lines: string[][] = [head, ["dense", "1", "", "", "", "", "", dense.logLoss.toFixed(5), dense.auc.toFixed(5), ""]];
if (values.json !== undefined) writeFileSync(values.json, "");
for (const ranks of values.ranks.split(",").map(Number)) {
  const shapes = data.cardinalities.map((numEmbeddings) => createTTShape({ numEmbeddings, embeddingDim: DIM, ranks }));
  const plain = shapes.map(({ numEmbeddings, rowShape, columnShape }, t) =>
    ttSvd(tables[t], { numEmbeddings, rowShape, columnShape, maxRank: ranks }),
  );
  const start = performance.now();
  const weighted = plain.map((tt, t) => weightedFit(tables[t], data.counts[t], tt));
  const seconds = (performance.now() - start) / 1000;
  const int8 = weighted.map((tt) => dequantizeCores(quantizeCores(tt, "int8")));
  const fits: [string, readonly TTCores[]][] = [
    ["TT-SVD", plain],
    ["weighted", weighted],
    ["weighted, int8", int8],
  ];
  for (const [fit, found] of fits) {
    const errors = [];
    for (const [t, tt] of found.entries()) {
      errors.push(await approximationError(runtime, rowsInMemory(tables[t], DIM), tt, { counts: data.counts[t] }));
    }
    const metrics = await scoreWith(found.map((tt) => toDense(tt)));
    const ratio = compressionRatio(shapes[1]);
    lines.push([
      String(ranks),
      ratio.toFixed(1),
      fit,
      ...errors.map(({ relativeError }) => relativeError.toFixed(3)),
      ...errors.map(({ weightedError = 0 }) => weightedError.toFixed(3)),
      metrics.logLoss.toFixed(5),
      metrics.auc.toFixed(5),
      fit === "weighted" ? seconds.toFixed(1) : "",
    ]);
    if (values.json === undefined) continue;
    const line = {
      id: "weighted-fit",
      case: { data: data.name, ranks, fit },
      relativeErrors: errors.map(({ relativeError }) => relativeError),
      weightedErrors: errors.map(({ weightedError }) => weightedError),
      testLogLoss: metrics.logLoss,
      testAuc: metrics.auc,
      denseLogLoss: dense.logLoss,
      denseAuc: dense.auc,
      seconds,
      machine: describeMachine("off"),
      commit: describeSource(),
      date: new Date().toISOString(),
    };
    appendFileSync(values.json, `${JSON.stringify(line)}\n`);
  }
}
console.log(`${data.name}: ${data.cardinalities.join(" users, ")} items, ${data.source.rows("train")} training rows`);
console.log(alignColumns(lines));
model.dispose();
await runtime.close();
