import { type Rng, type Runtime, TtError } from "@tt-rec/tensor";
import { CachedTTEmbeddingBag } from "@tt-rec/tt-cache";
import { DenseEmbeddingBag, type EmbeddingBag, TTEmbeddingBag, type TTEmbeddingBagOptions } from "@tt-rec/tt-kernels";
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

/** Makes TT tables that compute elsewhere than on the runtime's engine, such as on a GPU. */
export interface TTTableMaker {
  /** What computes, as checkpoints and records name it. */
  readonly engine: string;
  /** Makes a table without a cache. */
  make(runtime: Runtime, options: TTEmbeddingBagOptions): EmbeddingBag;
}

const DEFAULT_INITIALIZER: Initializer = { kind: "sampled-gaussian", scaling: "variance-matched" };

/**
 * Makes the table that a configuration asks for, with sum pooling; TT tables by `maker`, if there is one. Throws `E_OPTION`
 * for a cached table then: its rows live with the CPU's kernels.
 */
export function createTable(
  runtime: Runtime,
  config: TableConfig,
  embeddingDim: number,
  rng: Rng,
  maker: TTTableMaker | undefined,
): Table {
  const { name, numEmbeddings, embedding } = config;
  if (embedding.kind === "tt") {
    if (maker !== undefined && embedding.cache !== undefined) {
      throw new TtError("E_OPTION", `table ${name} has a cache, and cached tables do not run on ${maker.engine}`);
    }
    return { name, kind: "tt", ...createTTBag(runtime, numEmbeddings, embeddingDim, embedding, rng, maker) };
  }
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
  maker: TTTableMaker | undefined,
): Pick<Table, "bag" | "cache"> {
  const shape = createTTShape({
    numEmbeddings,
    embeddingDim,
    ranks,
    ...(rowShape && { rowShape }),
    ...(columnShape && { columnShape }),
  });
  const cores = initializeCores(shape, rng, initializer);
  if (maker !== undefined) return { bag: maker.make(runtime, { shape, cores }) };
  if (cache === undefined) return { bag: new TTEmbeddingBag(runtime, { shape, cores }) };
  const { rows: cacheRows, ...rest } = cache;
  const bag = new CachedTTEmbeddingBag(runtime, { shape, cores, cacheRows, ...rest });
  return { bag, cache: bag };
}
