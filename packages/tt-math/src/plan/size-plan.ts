import { TtError } from "@tt-rec/tensor";
import { requirePositive } from "../shape/limits.ts";
import { compressionRatio, coreBytes, createTTShape, parameterCount, type TTShape } from "../shape/tt-shape.ts";

/** Which tables of a model to compress, and how far. */
export interface CompressionRequest {
  /** Columns D of every table. */
  readonly embeddingDim: number;
  /** Rows of each table. */
  readonly numEmbeddings: readonly number[];
  /** How many tables, the largest ones, become TT tables; of equal ones the first. */
  readonly tables: number;
  /** Rank bound of the TT tables, clipped at each bond (see `createTTShape`). */
  readonly ranks: number;
}

/** Size of one table in a plan. */
export interface PlannedTable {
  /** Position in the request's list. */
  readonly index: number;
  /** Rows of the table. */
  readonly numEmbeddings: number;
  /** Whether it stays dense or becomes TT-cores. */
  readonly kind: "dense" | "tt";
  /** Shape of a TT table: three cores, factors by `suggestShape`. Absent for a dense one. */
  readonly shape?: TTShape;
  /** Number of floats. */
  readonly parameters: number;
  /** Bytes in float32. */
  readonly bytes: number;
  /** How many times smaller than the dense table. */
  readonly ratio: number;
}

/** Sizes of all embedding tables of a model; caches, counters, optimizer state and the MLPs are not in it. */
export interface CompressionPlan {
  /** Tables in the order of the request. */
  readonly tables: readonly PlannedTable[];
  /** Bytes of all tables in float32. */
  readonly bytes: number;
  /** Bytes of all tables if none were compressed. */
  readonly uncompressedBytes: number;
  /** uncompressedBytes / bytes. */
  readonly ratio: number;
}

/**
 * Sizes of a model's embeddings with its k largest tables in TT format, as in TT-Rec (MLSys 2021, table 2).
 *
 * Throws E_OPTION when `tables` is not an integer from 0 to the number of tables, or a size is not a positive integer.
 */
export function planCompression(request: CompressionRequest): CompressionPlan {
  const { embeddingDim, numEmbeddings, tables: count, ranks } = request;
  if (!Number.isInteger(count) || count < 0 || count > numEmbeddings.length) {
    throw new TtError("E_OPTION", `tables = ${count} is not an integer from 0 to ${numEmbeddings.length}, the number of tables`);
  }
  requirePositive("embeddingDim", embeddingDim);
  for (const [index, n] of numEmbeddings.entries()) requirePositive(`numEmbeddings[${index}]`, n);
  const largestFirst = numEmbeddings.map((_, index) => index).sort((a, b) => numEmbeddings[b] - numEmbeddings[a] || a - b);
  const chosen = new Set(largestFirst.slice(0, count));
  const tables = numEmbeddings.map((n, index) => planTable(index, n, embeddingDim, chosen.has(index) ? ranks : undefined));
  const bytes = tables.reduce((sum, table) => sum + table.bytes, 0);
  const uncompressedBytes = numEmbeddings.reduce((sum, n) => sum + 4 * n * embeddingDim, 0);
  return { tables, bytes, uncompressedBytes, ratio: uncompressedBytes / bytes };
}

function planTable(index: number, numEmbeddings: number, embeddingDim: number, ranks: number | undefined): PlannedTable {
  if (ranks === undefined) {
    const parameters = numEmbeddings * embeddingDim;
    return { index, numEmbeddings, kind: "dense", parameters, bytes: 4 * parameters, ratio: 1 };
  }
  const shape = createTTShape({ numEmbeddings, embeddingDim, ranks });
  const [parameters, bytes] = [parameterCount(shape), coreBytes(shape)];
  return { index, numEmbeddings, kind: "tt", shape, parameters, bytes, ratio: compressionRatio(shape) };
}
