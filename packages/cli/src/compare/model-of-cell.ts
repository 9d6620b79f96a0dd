import type { DlrmConfig, EmbeddingConfig } from "@tt-rec/dlrm";
import type { TrainSettings } from "../options/train-options.ts";
import { cacheOf, initializerOf } from "../run/apply-rules.ts";
import { modelConfig } from "../run/model-config.ts";
import type { Cell } from "./cells.ts";
import type { PreparedData } from "./prepared-data.ts";
import { type SizedMethod, sizeMethod } from "./size-method.ts";

/** A cell's model, and what its compared tables take. */
export interface CellModel {
  readonly config: DlrmConfig;
  readonly sized: SizedMethod;
  /** Bytes of the compared tables uncompressed, which budgets are shares of. */
  readonly uncompressedBytes: number;
  /** Bytes that they may take; null for a method of one size. */
  readonly budgetBytes: number | null;
}

/**
 * The model of a cell: the base model of the settings, with the compared tables stored by the cell's method. `uncompressedRows` are
 * the rows of those tables where each id has its own, so that hashed ids get the bytes that the others get.
 */
export function modelOfCell(
  { method, embeddingDim, budget }: Cell,
  data: PreparedData,
  uncompressedRows: number,
  base: TrainSettings,
  cachePart: number,
): CellModel {
  const { compared, counts, shape } = data;
  const rows = compared.map((t) => shape.cardinalities[t]);
  const uncompressedBytes = 4 * uncompressedRows * embeddingDim;
  const budgetBytes = budget === null ? null : Math.floor(uncompressedBytes / budget);
  const sized = sizeMethod(method, {
    ...{
      rows,
      counts: compared.map((t) => counts[t]),
      embeddingDim,
      shapes: base.ttShapes,
      cachePart,
      cacheStorage: base.cacheStorage,
    },
    budgetBytes: budgetBytes ?? Number.POSITIVE_INFINITY,
  });
  const bottomMlp = base.bottomMlp.length > 0 ? base.bottomMlp.with(-1, embeddingDim) : [];
  const plain = modelConfig({ ...base, embeddingDim, bottomMlp, embeddings: [], ttTables: 0, budget: 0 }, shape);
  const tables = plain.tables.map((table, t) => {
    const own = sized.tables[compared.indexOf(t)];
    if (own === undefined) return table;
    return { ...table, embedding: completed(removedOrShared(own.embedding, data), own.cacheRows, base) };
  });
  return { config: { ...plain, tables }, sized, uncompressedBytes, budgetBytes };
}

/** The schedule of a cache, and how cores are drawn, are those of the settings. */
function completed(embedding: EmbeddingConfig, cacheRows: number, base: TrainSettings): EmbeddingConfig {
  if (embedding.kind !== "tt") return embedding;
  return { ...embedding, ...initializerOf(base), ...cacheOf(base, { rows: cacheRows }) };
}

/** A model needs two vectors a sample. Where removed columns leave fewer, all ids of a column share one row: it tells nothing either. */
function removedOrShared(embedding: EmbeddingConfig, { compared, shape }: PreparedData): EmbeddingConfig {
  const left = shape.tableNames.length - compared.length + (shape.denseFeatures > 0 ? 1 : 0);
  return embedding.kind === "removed" && left < 2 ? { kind: "hash", rows: 1 } : embedding;
}
