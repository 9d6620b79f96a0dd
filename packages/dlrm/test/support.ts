import { createHash } from "node:crypto";
import { createRng, type NamedTensors, Runtime } from "@tt-rec/tensor";
import { randomBags } from "@tt-rec/testing";
import type { Batch, DlrmConfig, EmbeddingConfig, OptimizerConfig } from "../src/index.ts";

/** Embeddings that tests of one at a time go through. */
export const KINDS = ["dense", "tt", "cached", "hash", "qrMult", "mixed", "hotRows"] as const;

/** A runtime whose scratch memory turns to NaN at the end of each step. */
export const runtime: Runtime = await Runtime.create({ poison: true });

const TT = { kind: "tt", ranks: [2, 3], rowShape: [2, 5, 3], columnShape: [1, 3, 2] } as const;

type EmbeddingName =
  | "dense"
  | "tt"
  | "cached"
  | "cachedInt8"
  | "hash"
  | "qrMult"
  | "qrAdd"
  | "qrConcat"
  | "mixed"
  | "lowRank"
  | "hotRows"
  | "removed";

/** One of each way of storing a table of 29 rows, D = 6. */
export const EMBEDDINGS: Readonly<Record<EmbeddingName, EmbeddingConfig>> = {
  dense: { kind: "dense" },
  tt: TT,
  cached: { ...TT, cache: { rows: 7, warmupSteps: 2, refreshEvery: 3 } },
  cachedInt8: { ...TT, cache: { rows: 7, warmupSteps: 2, refreshEvery: 3, rowStorage: "int8" } },
  hash: { kind: "hash", rows: 11 },
  qrMult: { kind: "quotient-remainder", collisions: 5 },
  qrAdd: { kind: "quotient-remainder", collisions: 3, operation: "add" },
  qrConcat: { kind: "quotient-remainder", collisions: 7, operation: "concat" },
  mixed: { kind: "mixed-dimension", dimension: 3 },
  lowRank: { kind: "low-rank", rank: 2 },
  hotRows: { kind: "hot-rows", rows: 3, ids: [2, 7, 28] },
  removed: { kind: "removed" },
};

/** The rules with rates at which the small models below learn. */
export const OPTIMIZERS: Readonly<Record<"sgd" | "adagrad", OptimizerConfig>> = {
  sgd: { kind: "sgd", learningRate: 0.2 },
  adagrad: { kind: "adagrad", learningRate: 0.05, eps: 1e-8 },
};

/** A small model: 3 dense features, D = 6, a dense table of 7 rows and one of 29 rows stored as asked. */
export function smallConfig(embedding: EmbeddingConfig): DlrmConfig {
  return {
    denseFeatures: 3,
    embeddingDim: 6,
    bottomMlp: [5, 6],
    topMlp: [11, 1],
    tables: [
      { name: "small", numEmbeddings: 7, embedding: { kind: "dense" } },
      { name: "large", numEmbeddings: 29, embedding },
    ],
  };
}

/** A batch with empty bags, duplicates and, in every other table, weights. */
export function randomBatch({ denseFeatures, tables }: DlrmConfig, size: number, seed: number): Batch {
  const rng = createRng(seed);
  return {
    size,
    labels: Float32Array.from({ length: size }, () => (rng.uniform() < 0.5 ? 1 : 0)),
    dense: Float32Array.from({ length: size * denseFeatures }, () => rng.normal()),
    bags: tables.map(({ numEmbeddings }, t) => {
      const { indices, offsets, weights } = randomBags(rng.uniform, { numEmbeddings, batchSize: size, maxPooling: 3 });
      return t % 2 === 0 ? { indices, offsets, weights } : { indices, offsets };
    }),
  };
}

/** A digest of all names, shapes and bits of a state: a single bit tells two states apart. */
export function bitsOf(state: NamedTensors): string {
  const hash = createHash("sha256");
  for (const [name, { dtype, shape, data }] of [...state].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name} ${dtype} [${shape}] `).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

/** All ways of storing a table at once; primes wherever the model allows. */
export const MIXED: DlrmConfig = {
  denseFeatures: 3,
  embeddingDim: 6,
  bottomMlp: [7, 6],
  topMlp: [11, 5, 1],
  tables: [
    { name: "a", numEmbeddings: 13, embedding: EMBEDDINGS.dense },
    { name: "b", numEmbeddings: 29, embedding: EMBEDDINGS.tt },
    {
      name: "c",
      numEmbeddings: 23,
      embedding: {
        kind: "tt",
        ranks: [3, 2],
        rowShape: [3, 2, 5],
        columnShape: [3, 1, 2],
        cache: { rows: 5, warmupSteps: 1, refreshEvery: 100 },
      },
    },
    { name: "d", numEmbeddings: 2, embedding: EMBEDDINGS.dense },
  ],
};

/** Parameters and optimizer state, without what a cache knows of accesses. */
export function parametersOnly(state: NamedTensors): NamedTensors {
  return new Map([...state].filter(([name]) => !/\.counter\.|cache\.(step|schedule|candidates|entering|ids|rows)/.test(name)));
}
