import type { NamedTensors } from "@tt-rec/tensor";
import { denseFromCores, poolRows } from "@tt-rec/testing";
import type { Batch, DlrmConfig, TableConfig } from "../src/index.ts";

/** Parameters by name, in float64; those of a cached table hold the ids of its cached rows too. */
export type Parameters = ReadonlyMap<string, Float64Array>;

/** The parameters of a model's state, without optimizer state and access counts. */
export function parametersOf(state: NamedTensors): Map<string, Float64Array> {
  const entries = [...state].filter(([name]) => !/adagrad|counter|cache\.step/.test(name));
  return new Map(entries.map(([name, { data }]) => [name, Float64Array.from(data)]));
}

/** Logits of a batch by the definition of DLRM, sample by sample, in float64. */
export function defineLogits(config: DlrmConfig, parameters: Parameters, batch: Batch): Float64Array {
  const { denseFeatures, embeddingDim, bottomMlp, topMlp, tables } = config;
  const pooled = tables.map((table, t) =>
    poolRows(defineTable(table, embeddingDim, parameters), embeddingDim, batch.bags[t], "sum"),
  );
  return Float64Array.from({ length: batch.size }, (_, b) => {
    const vectors: number[][] = [];
    const front: number[] = [];
    if (denseFeatures > 0) {
      const dense = [...batch.dense.subarray(b * denseFeatures, (b + 1) * denseFeatures)];
      front.push(...defineMlp("bottom", bottomMlp.length, true, parameters, dense));
      vectors.push(front);
    }
    for (const rows of pooled) vectors.push([...rows.subarray(b * embeddingDim, (b + 1) * embeddingDim)]);
    return defineMlp("top", topMlp.length, false, parameters, [...front, ...defineInteraction(vectors)])[0];
  });
}

/** Mean binary cross-entropy of a batch in nats. */
export function defineLoss(config: DlrmConfig, parameters: Parameters, batch: Batch): number {
  let loss = 0;
  for (const [b, z] of defineLogits(config, parameters, batch).entries()) {
    const p = 1 / (1 + Math.exp(-z));
    loss -= batch.labels[b] * Math.log(p) + (1 - batch.labels[b]) * Math.log(1 - p);
  }
  return loss / batch.size;
}

/** The products ⟨v_i, v_j⟩ of all pairs j < i, row by row. */
export function defineInteraction(vectors: readonly (readonly number[])[]): number[] {
  return vectors.flatMap((v, i) => vectors.slice(0, i).map((w) => v.reduce((sum, x, j) => sum + x * w[j], 0)));
}

/** A multi-layer perceptron on one sample. */
export function defineMlp(name: string, layers: number, lastRelu: boolean, parameters: Parameters, input: number[]): number[] {
  let x = input;
  for (let layer = 0; layer < layers; layer++) {
    const weight = parameters.get(`${name}.${layer}.weight`) as Float64Array;
    const bias = parameters.get(`${name}.${layer}.bias`) as Float64Array;
    const y = Array.from(bias, (b, o) => x.reduce((sum, value, i) => sum + value * weight[o * x.length + i], b));
    x = lastRelu || layer + 1 < layers ? y.map((value) => Math.max(value, 0)) : y;
  }
  return x;
}

/** The rows of a table [n, D]: given, or multiplied out of the cores and overlaid with the cached rows. */
function defineTable({ name, embedding }: TableConfig, embeddingDim: number, parameters: Parameters): Float64Array {
  const get = (key: string): Float64Array => parameters.get(`table.${name}.${key}`) as Float64Array;
  if (embedding.kind === "dense") return get("table");
  const { rowShape = [], columnShape = [], ranks } = embedding;
  const cores = rowShape.map((_, k) => get(`core.${k}`));
  const table = denseFromCores(cores, rowShape, columnShape, [1, ...(ranks as number[]), 1]);
  if (embedding.cache !== undefined) {
    const rows = get("cache.rows");
    for (const [slot, id] of get("cache.ids").entries()) {
      table.set(rows.subarray(slot * embeddingDim, (slot + 1) * embeddingDim), id * embeddingDim);
    }
  }
  return table;
}
