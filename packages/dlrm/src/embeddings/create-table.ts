import type { Rng, Runtime } from "@tt-rec/tensor";
import { CachedTTEmbeddingBag } from "@tt-rec/tt-cache";
import { DenseEmbeddingBag, type EmbeddingBag, TTEmbeddingBag } from "@tt-rec/tt-kernels";
import { createTTShape, type Initializer, initializeCores } from "@tt-rec/tt-math";
import type { TableConfig, TTEmbeddingConfig } from "./embedding-config.ts";

/** A table of a model. */
export interface Table {
  /** Name of the categorical feature. */
  readonly name: string;
  /** Whether the table is stored as TT-cores. */
  readonly kind: "dense" | "tt";
  /** The table itself. */
  readonly bag: EmbeddingBag;
  /** The same bag, if it is cached: the source of cache metrics. */
  readonly cache?: CachedTTEmbeddingBag;
}

const DEFAULT_INITIALIZER: Initializer = { kind: "sampled-gaussian", scaling: "variance-matched" };

/** Makes the table that a configuration asks for, with sum pooling. */
export function createTable(runtime: Runtime, config: TableConfig, embeddingDim: number, rng: Rng): Table {
  const { name, numEmbeddings, embedding } = config;
  if (embedding.kind === "tt") return { name, kind: "tt", ...createTTBag(runtime, numEmbeddings, embeddingDim, embedding, rng) };
  const bound = 1 / Math.sqrt(numEmbeddings);
  const initialize = (rows: Float32Array): void => {
    for (let i = 0; i < rows.length; i++) rows[i] = bound * (2 * rng.uniform() - 1);
  };
  return { name, kind: "dense", bag: new DenseEmbeddingBag(runtime, { numEmbeddings, embeddingDim, initialize }) };
}

function createTTBag(
  runtime: Runtime,
  numEmbeddings: number,
  embeddingDim: number,
  { ranks, rowShape, columnShape, initializer = DEFAULT_INITIALIZER, cache }: TTEmbeddingConfig,
  rng: Rng,
): Pick<Table, "bag" | "cache"> {
  const shape = createTTShape({
    numEmbeddings,
    embeddingDim,
    ranks,
    ...(rowShape && { rowShape }),
    ...(columnShape && { columnShape }),
  });
  const cores = initializeCores(shape, rng, initializer);
  if (cache === undefined) return { bag: new TTEmbeddingBag(runtime, { shape, cores }) };
  const { rows: cacheRows, warmupSteps, refreshEvery } = cache;
  const bag = new CachedTTEmbeddingBag(runtime, { shape, cores, cacheRows, warmupSteps, refreshEvery });
  return { bag, cache: bag };
}
