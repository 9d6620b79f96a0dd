import { type Rng, type Runtime, TtError } from "@tt-rec/tensor";
import { CachedTTEmbeddingBag } from "@tt-rec/tt-cache";
import {
  DenseEmbeddingBag,
  type EmbeddingBag,
  type Pooling,
  TTEmbeddingBag,
  type TTEmbeddingBagOptions,
} from "@tt-rec/tt-kernels";
import { createTTShape, type Initializer, initializeCores } from "@tt-rec/tt-math";
import type { PartRules } from "../optimizer.ts";
import type { EmbeddingConfig, TableConfig, TTEmbeddingConfig } from "./embedding-config.ts";
import { MappedEmbeddingBag } from "./mapped-embedding-bag.ts";
import { MaxPoolingEmbeddingBag } from "./max-pooling-embedding-bag.ts";
import { ProjectedEmbeddingBag } from "./projected-embedding-bag.ts";
import { QuotientRemainderEmbeddingBag } from "./quotient-remainder-embedding-bag.ts";
import { hashMap, hotRowsMap } from "./row-map.ts";

/** A table of a model. */
export interface Table {
  /** Name of the categorical feature. */
  readonly name: string;
  /** Its place among the features of a batch. */
  readonly column: number;
  /** Which of the optimizer's rules it follows. */
  readonly group: keyof Pick<PartRules, "rows" | "cores">;
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

/** What making a table needs. */
interface Place {
  readonly runtime: Runtime;
  readonly embeddingDim: number;
  readonly rng: Rng;
  readonly maker: TTTableMaker | undefined;
  readonly accessCounts?: ArrayLike<number> | undefined;
}

/**
 * Makes the table that a configuration asks for; TT tables by `maker`, if there is one. Throws `E_OPTION` for a cached table
 * then: its rows live with the CPU's kernels. A removed column has no table.
 */
export function createTable(place: Place, config: TableConfig, column: number): Table | undefined {
  const { name, embedding, pooling = "sum" } = config;
  if (embedding.kind === "removed") return undefined;
  const group = embedding.kind === "tt" ? "cores" : "rows";
  const { bag, cache } = createBag(place, config, embedding, pooling === "max" ? "none" : pooling);
  const pooled = pooling === "max" ? new MaxPoolingEmbeddingBag(place.runtime, bag) : bag;
  return { name, column, group, bag: pooled, ...(cache && { cache }) };
}

function createBag(
  place: Place,
  { name, numEmbeddings }: TableConfig,
  embedding: Exclude<EmbeddingConfig, { kind: "removed" }>,
  pooling: Pooling,
): Pick<Table, "bag" | "cache"> {
  const { runtime, embeddingDim, rng } = place;
  const uniform = uniformRows(rng, 1 / Math.sqrt(numEmbeddings));
  const common = { numEmbeddings, embeddingDim, pooling, initialize: uniform };
  switch (embedding.kind) {
    case "dense":
      return { bag: new DenseEmbeddingBag(runtime, common) };
    case "tt":
      return createTTBag(place, name, numEmbeddings, embedding, pooling);
    case "hash":
    case "hot-rows": {
      const map = embedding.kind === "hash" ? hashMap(embedding) : hotRowsMap(embedding, numEmbeddings);
      const initialize = uniformRows(rng, 1 / Math.sqrt(map.rows));
      return { bag: new MappedEmbeddingBag(runtime, { ...common, map, initialize }) };
    }
    case "quotient-remainder": {
      const { collisions, operation = "mult" } = embedding;
      const initialize = quotientRemainderRows(rng, numEmbeddings, operation);
      return { bag: new QuotientRemainderEmbeddingBag(runtime, { ...common, collisions, operation, initialize }) };
    }
    case "mixed-dimension": {
      const { dimension } = embedding;
      if (dimension === embeddingDim) return { bag: new DenseEmbeddingBag(runtime, common) };
      // Xavier's uniform law, as in DLRM.
      const initializeProjection = uniformRows(rng, Math.sqrt(6 / (dimension + embeddingDim)));
      return { bag: new ProjectedEmbeddingBag(runtime, { ...common, dimension, initializeProjection }) };
    }
    case "low-rank": {
      const { rank } = embedding;
      // A row's entry is a sum of r products, so its variance is the uncompressed table's, 1 / (3n).
      const initializeProjection = uniformRows(rng, Math.sqrt(3 / rank));
      return { bag: new ProjectedEmbeddingBag(runtime, { ...common, dimension: rank, initializeProjection }) };
    }
  }
}

/** Draws every element from U(−bound, bound). */
function uniformRows(rng: Rng, bound: number): (rows: Float32Array) => void {
  return (rows) => {
    for (let i = 0; i < rows.length; i++) rows[i] = bound * (2 * rng.uniform() - 1);
  };
}

/**
 * Draws tables whose combined entries have the variance of an uncompressed table's, 1 / (3n), around 0; factors come from
 * U(1/√n, 1) in DLRM's code, which is an oversight there.
 */
function quotientRemainderRows(
  rng: Rng,
  numEmbeddings: number,
  operation: "mult" | "add" | "concat",
): (rows: Float32Array) => void {
  // The product of two factors of variance v has v², a sum 2v.
  const variance = 1 / (3 * numEmbeddings);
  const each = operation === "mult" ? Math.sqrt(variance) : operation === "add" ? variance / 2 : variance;
  return uniformRows(rng, Math.sqrt(3 * each));
}

function createTTBag(
  { runtime, embeddingDim, rng, maker, accessCounts }: Place,
  name: string,
  numEmbeddings: number,
  { ranks, rowShape, columnShape, initializer = DEFAULT_INITIALIZER, cache }: TTEmbeddingConfig,
  pooling: Pooling,
): Pick<Table, "bag" | "cache"> {
  if (maker !== undefined && cache !== undefined) {
    throw new TtError("E_OPTION", `table ${name} has a cache, and cached tables do not run on ${maker.engine}`);
  }
  const shape = createTTShape({
    numEmbeddings,
    embeddingDim,
    ranks,
    ...(rowShape && { rowShape }),
    ...(columnShape && { columnShape }),
  });
  const options = { shape, cores: initializeCores(shape, rng, initializer), pooling };
  if (maker !== undefined) return { bag: maker.make(runtime, options) };
  if (cache === undefined) return { bag: new TTEmbeddingBag(runtime, options) };
  const { rows, bytes, share, ...rest } = cache;
  const size = {
    ...(rows !== undefined && { cacheRows: rows }),
    ...(bytes !== undefined && { cacheBytes: bytes }),
    ...(share !== undefined && { cacheShare: share }),
  };
  const bag = new CachedTTEmbeddingBag(runtime, {
    ...options,
    ...size,
    ...rest,
    // Drawn only where it is needed, lest the numbers of later tables change.
    ...(cache.rowStorage === "int8" && { roundingSeed: rng.uint32() }),
    ...(accessCounts && { accessCounts }),
  });
  return { bag, cache: bag };
}
