import { TtError } from "@tt-rec/tensor";
import { type CoreStorage, storedBytes } from "../quantize/quantize-cores.ts";
import { requirePositive } from "../shape/limits.ts";
import { parameterCount, type TTShape } from "../shape/tt-shape.ts";
import { fillKnapsack } from "./knapsack.ts";
import { cachedRowBytes, type RowStorage, ruledShape, type ShapeRule, type StoredTable, tableChoices } from "./table-choices.ts";

/** Which tables of a model to compress, and how far: by rank, by bytes, or by a ratio. */
export interface CompressionRequest {
  /** Columns D: one for all tables, or one a table. */
  readonly embeddingDim: number | readonly number[];
  /** Rows of each table. */
  readonly numEmbeddings: readonly number[];
  /** How many tables, the largest ones, become TT tables; of equal ones the first. With a budget the most that may; default all. */
  readonly tables?: number;
  /** Rank bound of the TT tables, clipped at each bond (see `createTTShape`). With a budget the largest rank; default 128. */
  readonly ranks?: number;
  /** Bytes that all tables may take, caches included. */
  readonly budgetBytes?: number;
  /** The budget as a part: uncompressed bytes over bytes. */
  readonly targetRatio?: number;
  /** Accesses of each row of each table; with them a budget is also spent on caches of hot rows. */
  readonly histograms?: readonly ArrayLike<number>[];
  /** How row factors are chosen: `suggested` (default), as the paper, or `compact`, for few bytes. */
  readonly shapes?: ShapeRule;
  /** How cores are stored; default `float32`. */
  readonly storage?: CoreStorage;
  /** How cached rows are held; default `float32`. */
  readonly cacheStorage?: RowStorage;
}

/** Size of one table in a plan. */
export interface PlannedTable {
  /** Position in the request's list. */
  readonly index: number;
  /** Rows of the table. */
  readonly numEmbeddings: number;
  /** Whether it stays dense or becomes TT-cores. */
  readonly kind: "dense" | "tt";
  /** Shape of a TT table with its three cores. Absent for a dense one. */
  readonly shape?: TTShape;
  /** Number of floats. */
  readonly parameters: number;
  /** Bytes of the table or of its cores. */
  readonly bytes: number;
  /** Rows prod(p) − n that only the shape has; 0 for a dense table. */
  readonly paddingRows: number;
  /** Hot rows to cache. */
  readonly cacheRows: number;
  /** Bytes of the cached rows and their ids. */
  readonly cacheBytes: number;
  /** How many times smaller than the dense table, the cache included. */
  readonly ratio: number;
}

/** Sizes of all embedding tables of a model; counters, optimizer state and the MLPs are not in it. */
export interface CompressionPlan {
  /** Tables in the order of the request. */
  readonly tables: readonly PlannedTable[];
  /** Bytes of all tables, caches included. */
  readonly bytes: number;
  /** Bytes of all tables in float32 if none were compressed. */
  readonly uncompressedBytes: number;
  /** uncompressedBytes / bytes. */
  readonly ratio: number;
}

/** Largest rank that a budget may choose. */
const LARGEST_RANK = 128;

/**
 * Plans the embeddings of a model before it is trained or compressed.
 *
 * With `tables` and `ranks`: the k largest tables in TT format at one rank, as in TT-Rec (MLSys 2021, table 2). With
 * `budgetBytes` or `targetRatio`: a knapsack chooses for each table whether it is compressed, its rank, and how many hot rows
 * to cache, for the most expected lookups served (see docs/architecture.md); every table has one lookup a sample.
 *
 * Throws E_OPTION where a number is out of range, no goal or two are given, or no plan fits the budget; E_SHAPE where lists do
 * not fit together.
 */
export function planCompression(request: CompressionRequest): CompressionPlan {
  const { numEmbeddings, tables: count } = request;
  const dims = checkTables(request);
  const uncompressedBytes = numEmbeddings.reduce((sum, n, t) => sum + 4 * n * dims[t], 0);
  const largestFirst = numEmbeddings.map((_, index) => index).sort((a, b) => numEmbeddings[b] - numEmbeddings[a] || a - b);
  const chosen = new Set(largestFirst.slice(0, count ?? numEmbeddings.length));
  const budget = budgetOf(request, uncompressedBytes);
  const choices = budget === undefined ? fixedChoices(request, dims, chosen) : bestChoices(request, dims, chosen, budget);
  const tables = choices.map((choice, index) => plannedTable(request, index, dims[index], choice));
  const bytes = tables.reduce((sum, table) => sum + table.bytes + table.cacheBytes, 0);
  return { tables, bytes, uncompressedBytes, ratio: uncompressedBytes / bytes };
}

/** Columns of each table, after all numbers have passed their checks. */
function checkTables({ embeddingDim, numEmbeddings, tables: count, histograms }: CompressionRequest): readonly number[] {
  if (count !== undefined && (!Number.isInteger(count) || count < 0 || count > numEmbeddings.length)) {
    throw new TtError("E_OPTION", `tables = ${count} is not an integer from 0 to ${numEmbeddings.length}, the number of tables`);
  }
  const dims = typeof embeddingDim === "number" ? numEmbeddings.map(() => embeddingDim) : embeddingDim;
  if (dims.length !== numEmbeddings.length) {
    throw new TtError("E_SHAPE", `embeddingDim has ${dims.length} entries for ${numEmbeddings.length} tables`);
  }
  for (const [index, n] of numEmbeddings.entries()) {
    requirePositive("embeddingDim", dims[index]);
    requirePositive(`numEmbeddings[${index}]`, n);
  }
  if (histograms === undefined) return dims;
  if (histograms.length !== numEmbeddings.length) {
    throw new TtError("E_SHAPE", `there are ${histograms.length} histograms for ${numEmbeddings.length} tables`);
  }
  for (const [index, { length }] of histograms.entries()) {
    if (length !== numEmbeddings[index]) {
      throw new TtError("E_SHAPE", `histograms[${index}] has ${length} entries, the table has ${numEmbeddings[index]} rows`);
    }
  }
  return dims;
}

function budgetOf(
  { budgetBytes, targetRatio, tables, ranks }: CompressionRequest,
  uncompressedBytes: number,
): number | undefined {
  const goals = { budgetBytes, targetRatio };
  for (const [name, value] of Object.entries(goals)) {
    if (value !== undefined && !(value > 0)) throw new TtError("E_OPTION", `${name} = ${value} is not a positive number`);
  }
  if (budgetBytes !== undefined && targetRatio !== undefined) {
    throw new TtError("E_OPTION", "a plan takes budgetBytes or targetRatio, not both");
  }
  if (budgetBytes !== undefined) return budgetBytes;
  if (targetRatio !== undefined) return uncompressedBytes / targetRatio;
  if (tables !== undefined && ranks !== undefined) return undefined;
  throw new TtError("E_OPTION", "a plan needs tables and ranks, or budgetBytes, or targetRatio");
}

/** The k largest tables at one rank. */
function fixedChoices(request: CompressionRequest, dims: readonly number[], chosen: ReadonlySet<number>): StoredTable[] {
  const { numEmbeddings, ranks = LARGEST_RANK, shapes = "suggested" } = request;
  return numEmbeddings.map((n, t) =>
    chosen.has(t)
      ? { shape: ruledShape({ numEmbeddings: n, embeddingDim: dims[t], shapes }, ranks), cacheRows: 0 }
      : { cacheRows: 0 },
  );
}

/** The choices that a budget buys. */
function bestChoices(
  request: CompressionRequest,
  dims: readonly number[],
  chosen: ReadonlySet<number>,
  budgetBytes: number,
): StoredTable[] {
  const { numEmbeddings, ranks = LARGEST_RANK, shapes = "suggested", storage = "float32", histograms } = request;
  const { cacheStorage = "float32" } = request;
  requirePositive("ranks", ranks);
  const choices = numEmbeddings.map((n, t) => {
    const stored = { shapes, storage, cacheStorage, histogram: histograms?.[t] };
    return tableChoices({ numEmbeddings: n, embeddingDim: dims[t], ...stored }, ranks, chosen.has(t));
  });
  const taken = fillKnapsack(choices, budgetBytes);
  if (taken !== undefined) return taken.map((k, t) => choices[t][k]);
  const least = choices.reduce((sum, list) => sum + Math.min(...list.map(({ bytes }) => bytes)), 0);
  throw new TtError(
    "E_OPTION",
    `a budget of ${Math.floor(budgetBytes)} bytes is below ${least}, the least that these tables take`,
  );
}

function plannedTable(
  { numEmbeddings, storage = "float32", cacheStorage }: CompressionRequest,
  index: number,
  embeddingDim: number,
  { shape, cacheRows }: StoredTable,
): PlannedTable {
  const rows = numEmbeddings[index];
  const floats = rows * embeddingDim;
  const bytes = shape === undefined ? 4 * floats : storedBytes(shape, storage);
  const cacheBytes = cacheRows * cachedRowBytes(embeddingDim, cacheStorage);
  return {
    index,
    numEmbeddings: rows,
    ...(shape === undefined ? { kind: "dense" } : { kind: "tt", shape }),
    parameters: shape === undefined ? floats : parameterCount(shape),
    bytes,
    paddingRows: shape === undefined ? 0 : shape.rowShape.reduce((a, b) => a * b, 1) - rows,
    cacheRows,
    cacheBytes,
    ratio: (4 * floats) / (bytes + cacheBytes),
  };
}
