import { mixBits, type NamedTensors } from "@tt-rec/tensor";
import { denseFromCores, poolRows } from "@tt-rec/testing";
import type { Bags } from "@tt-rec/tt-kernels";
import type { Batch, DlrmConfig, TableConfig, TablePooling, TTEmbeddingConfig } from "../src/index.ts";

/** Parameters by name, in float64; those of a cached table hold the ids of its cached rows too. */
export type Parameters = ReadonlyMap<string, Float64Array>;

/** The parameters of a model's state, without optimizer state and access counts. */
export function parametersOf(state: NamedTensors): Map<string, Float64Array> {
  const entries = [...state].filter(
    ([name]) => !/adagrad|momentum|adam|counter|cache\.(step|schedule|candidates|entering)/.test(name),
  );
  return new Map(entries.map(([name, { data }]) => [name, Float64Array.from(data)]));
}

/** Logits of a batch by the definition of DLRM, sample by sample, in float64. */
export function defineLogits(config: DlrmConfig, parameters: Parameters, batch: Batch): Float64Array {
  const { denseFeatures, embeddingDim, bottomMlp, topMlp, tables, interaction = { kind: "dot" } } = config;
  const pooled = tables.flatMap((table, t) => {
    if (table.embedding.kind === "removed") return [];
    const rows = defineTable(table, embeddingDim, parameters);
    return [definePooling(rows, embeddingDim, batch.bags[t], table.pooling ?? "sum")];
  });
  return Float64Array.from({ length: batch.size }, (_, b) => {
    const vectors: number[][] = [];
    const front: number[] = [];
    if (denseFeatures > 0) {
      const dense = [...batch.dense.subarray(b * denseFeatures, (b + 1) * denseFeatures)];
      front.push(...defineMlp("bottom", bottomMlp.length, true, parameters, dense));
      vectors.push(front);
    }
    for (const rows of pooled) vectors.push([...rows.subarray(b * embeddingDim, (b + 1) * embeddingDim)]);
    const interacted =
      interaction.kind === "dot"
        ? [...front, ...defineInteraction(vectors, interaction.self)]
        : defineCross(interaction.kind === "cross" ? interaction.layers : 0, parameters, vectors.flat());
    return defineMlp("top", topMlp.length, false, parameters, interacted)[0];
  });
}

/** Mean binary cross-entropy of a batch in nats. */
export function defineLoss(config: DlrmConfig, parameters: Parameters, batch: Batch): number {
  const [negative, positive] = config.lossWeights ?? [1, 1];
  let loss = 0;
  for (const [b, z] of defineLogits(config, parameters, batch).entries()) {
    const p = 1 / (1 + Math.exp(-z));
    loss -= positive * batch.labels[b] * Math.log(p) + negative * (1 - batch.labels[b]) * Math.log(1 - p);
  }
  return loss / batch.size;
}

/** The products ⟨v_i, v_j⟩ of all pairs j < i, with self-interaction j ≤ i, row by row. */
export function defineInteraction(vectors: readonly (readonly number[])[], self = false): number[] {
  const count = (i: number): number => (self ? i + 1 : i);
  return vectors.flatMap((v, i) => vectors.slice(0, count(i)).map((w) => v.reduce((sum, x, j) => sum + x * w[j], 0)));
}

/** The cross network on one sample: x ← x_0 ⊙ (W·(V·x) + b) + x, layer by layer. */
export function defineCross(layers: number, parameters: Parameters, first: number[]): number[] {
  let x = first;
  for (let l = 0; l < layers; l++) {
    const [down, up, bias] = ["down", "up", "bias"].map((key) => parameters.get(`cross.${l}.${key}`) as Float64Array);
    const [old, rank] = [x, down.length / x.length];
    const reduced = Array.from({ length: rank }, (_, r) =>
      old.reduce((sum, value, i) => sum + value * down[r * old.length + i], 0),
    );
    x = old.map((value, i) => first[i] * reduced.reduce((sum, y, r) => sum + y * up[i * rank + r], bias[i]) + value);
  }
  return x;
}

/** Bags of rows [n, D], pooled: [B, D]. */
export function definePooling(rows: Float64Array, dim: number, bags: Bags, pooling: TablePooling): Float64Array {
  if (pooling !== "max") return poolRows(rows, dim, bags, pooling);
  const { indices, offsets = Uint32Array.from({ length: indices.length + 1 }, (_, i) => i) } = bags;
  return Float64Array.from({ length: (offsets.length - 1) * dim }, (_, at) => {
    const ids = [...indices.subarray(offsets[Math.floor(at / dim)], offsets[Math.floor(at / dim) + 1])];
    return ids.length === 0 ? 0 : Math.max(...ids.map((id) => rows[id * dim + (at % dim)]));
  });
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

/** The rows of a table [n, D] by the definition of its embedding. */
export function defineTable({ name, numEmbeddings, embedding }: TableConfig, dim: number, parameters: Parameters): Float64Array {
  const get = (key: string): Float64Array => parameters.get(`table.${name}.${key}`) as Float64Array;
  const fill = (value: (id: number, j: number) => number): Float64Array =>
    Float64Array.from({ length: numEmbeddings * dim }, (_, at) => value(Math.floor(at / dim), at % dim));
  switch (embedding.kind) {
    case "dense":
      return get("table");
    case "tt":
      return defineTTTable(embedding, dim, get);
    case "hash": {
      const rows = get("rows");
      const { seed } = embedding;
      const row = (id: number): number => (seed === undefined ? id : mixBits(id ^ mixBits(seed)) >>> 0) % embedding.rows;
      return fill((id, j) => rows[row(id) * dim + j]);
    }
    case "hot-rows": {
      const rows = get("rows");
      const row = (id: number): number => {
        const hot = embedding.ids?.indexOf(id) ?? id;
        return hot < 0 || hot > embedding.rows ? embedding.rows : hot;
      };
      return fill((id, j) => rows[row(id) * dim + j]);
    }
    case "quotient-remainder": {
      const { collisions, operation = "mult" } = embedding;
      const [q, r, left] = [get("quotient"), get("remainder"), operation === "concat" ? Math.ceil(dim / 2) : dim];
      const right = operation === "concat" ? dim - left : dim;
      return fill((id, j) => {
        const [a, b] = [q[Math.floor(id / collisions) * left + j], r[(id % collisions) * right + j]];
        if (operation === "concat") return j < left ? a : r[(id % collisions) * right + j - left];
        return operation === "add" ? a + b : a * b;
      });
    }
    case "mixed-dimension":
    case "low-rank": {
      const columns = embedding.kind === "low-rank" ? embedding.rank : embedding.dimension;
      const table = get("table");
      if (columns === dim && embedding.kind === "mixed-dimension") return table;
      const projection = get("projection");
      return fill((id, j) => {
        let sum = 0;
        for (let k = 0; k < columns; k++) sum += table[id * columns + k] * projection[j * columns + k];
        return sum;
      });
    }
    case "removed":
      throw new Error("a removed column has no rows");
  }
}

/** Rows multiplied out of the cores and overlaid with the cached rows. */
function defineTTTable(
  { rowShape = [], columnShape = [], ranks, cache }: TTEmbeddingConfig,
  dim: number,
  get: (key: string) => Float64Array,
): Float64Array {
  const cores = rowShape.map((_, k) => get(`core.${k}`));
  const table = denseFromCores(cores, rowShape, columnShape, [1, ...(ranks as number[]), 1]);
  if (cache !== undefined) {
    const rows = get("cache.rows");
    for (const [slot, id] of get("cache.ids").entries()) table.set(rows.subarray(slot * dim, (slot + 1) * dim), id * dim);
  }
  return table;
}
