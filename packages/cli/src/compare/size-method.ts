import type { EmbeddingConfig } from "@tt-rec/dlrm";
import { TtError } from "@tt-rec/tensor";
import { cachedRowBytes, planCompression, type RowStorage, type ShapeRule, type TTShape } from "@tt-rec/tt-math";
import { allotHottest } from "./allot-hottest.ts";
import type { Method } from "./methods.ts";

/** The tables that are compared, and what they may cost. */
export interface SizeRequest {
  /** Rows of each table. */
  readonly rows: readonly number[];
  /** Accesses of each row of each table, in any order. */
  readonly counts: readonly ArrayLike<number>[];
  /** Columns D. */
  readonly embeddingDim: number;
  /** Bytes that all of them may take when they score: parameters, cached rows and their ids. */
  readonly budgetBytes: number;
  /** How the row factors of TT tables are chosen. */
  readonly shapes: ShapeRule;
  /** Share of the budget that the caches of cached TT tables get. */
  readonly cachePart: number;
  /** How their rows are held. */
  readonly cacheStorage: RowStorage;
}

/** How a method stores the tables within a budget. */
export interface SizedMethod {
  /** How each table is stored; the schedule of a cache is left to the caller. */
  readonly tables: readonly SizedTable[];
  /** Bytes of all of them. */
  readonly bytes: number;
  /** Whether that is within the budget; if not, it is the least that the method takes. */
  readonly isReached: boolean;
}

/** How a table is stored. */
interface SizedTable {
  /** The choice, without a cache. */
  readonly embedding: EmbeddingConfig;
  /** Rows of the cache in front of TT-cores; 0 for none. */
  readonly cacheRows: number;
}

/** Temperature of mixed dimensions, DLRM's default. */
const TEMPERATURE = 0.3;
/** Largest TT-rank that is tried. */
const LARGEST_RANK = 512;

/**
 * The largest size of a method within a budget, or its smallest if none fits; never padded to the budget. Sizes are shared out
 * among the tables by the same rule for all of a method: rows in proportion (hash), one number of collisions or one rank for
 * all (quotient–remainder, low rank, TT, which then takes single tables one rank up while that fits), columns by temperature
 * (mixed dimension), the most frequent ids of all tables together (hot rows and caches).
 */
export function sizeMethod(method: Method, request: SizeRequest): SizedMethod {
  const { rows, embeddingDim, budgetBytes } = request;
  const largest = Math.max(...rows);
  switch (method) {
    case "dense":
      return sized(
        request,
        rows.map((n) => choice({ kind: "dense" }, 4 * n * embeddingDim)),
      );
    case "removed":
      return sized(
        request,
        rows.map(() => choice({ kind: "removed" }, 0)),
      );
    case "hash":
      return largestFitting(request, 1, largest, (s) =>
        rows.map((n) => {
          const kept = Math.max(1, Math.floor((n * s) / largest));
          return choice({ kind: "hash", rows: kept }, 4 * kept * embeddingDim);
        }),
      );
    case "quotient-remainder": {
      // Beyond the root of the rows more collisions take more bytes.
      const most = Math.ceil(Math.sqrt(largest));
      return largestFitting(request, 1, most, (s) =>
        rows.map((n) => {
          const collisions = Math.max(1, Math.min(most + 1 - s, Math.ceil(Math.sqrt(n))));
          const kept = Math.ceil(n / collisions) + collisions;
          return choice({ kind: "quotient-remainder", collisions }, 4 * kept * embeddingDim);
        }),
      );
    }
    case "mixed-dimension":
      return largestFitting(request, 0, MIXED_STEPS, (s) => mixedDimensions(rows, embeddingDim, s));
    case "low-rank":
      return largestFitting(request, 1, embeddingDim, (rank) =>
        rows.map((n) => choice({ kind: "low-rank", rank }, 4 * rank * (n + embeddingDim))),
      );
    case "tt":
      return ttWithin(request, budgetBytes);
    case "tt-cached":
      return cachedWithin(request);
    case "hot-rows":
      return hotRows(request);
  }
}

/** A table and its bytes. */
interface Choice extends SizedTable {
  readonly bytes: number;
}

function choice(embedding: EmbeddingConfig, bytes: number): Choice {
  return { embedding, bytes, cacheRows: 0 };
}

function sized({ budgetBytes }: SizeRequest, tables: readonly Choice[]): SizedMethod {
  const bytes = tables.reduce((sum, table) => sum + table.bytes, 0);
  return { tables: tables.map(({ embedding, cacheRows }) => ({ embedding, cacheRows })), bytes, isReached: bytes <= budgetBytes };
}

/** The last of the sizes `least` … `most`, which take ever more bytes, that fits; the first if none does. */
function largestFitting(request: SizeRequest, least: number, most: number, sizeOf: (size: number) => Choice[]): SizedMethod {
  let [low, high] = [least, most];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (sized(request, sizeOf(middle)).isReached) low = middle;
    else high = middle - 1;
  }
  return sized(request, sizeOf(low));
}

/** Sizes of mixed dimensions that are told apart. */
const MIXED_STEPS = 4096;

/** Columns in proportion to rows^−temperature, from one column for each table (size 0) to D for each. */
function mixedDimensions(rows: readonly number[], embeddingDim: number, size: number): Choice[] {
  const largest = Math.max(...rows);
  // A factor of 1 gives the largest table one column at size 0, and D at the last.
  const factor = embeddingDim ** (size / MIXED_STEPS) * largest ** TEMPERATURE;
  return rows.map((n) => {
    // At size 0 all tables have one column: the smallest size there is.
    const wanted = size === 0 ? 1 : Math.round(factor * n ** -TEMPERATURE);
    const dimension = Math.max(1, Math.min(embeddingDim, wanted));
    const projection = dimension === embeddingDim ? 0 : dimension * embeddingDim;
    return choice({ kind: "mixed-dimension", dimension }, 4 * (n * dimension + projection));
  });
}

/** TT tables of one rank within some bytes, and then single tables of a higher one, the largest tables first. */
function ttWithin(request: SizeRequest, bytes: number): SizedMethod {
  const { rows, embeddingDim, shapes } = request;
  const tableAt = (n: number, ranks: number): Choice => {
    const [{ shape, bytes: own }] = planCompression({ embeddingDim, numEmbeddings: [n], tables: 1, ranks, shapes }).tables;
    if (shape === undefined) throw new TtError("E_OPTION", `a table of ${n} rows has no TT shape`);
    return choice(ttEmbedding(shape, shapes), own);
  };
  const within = { ...request, budgetBytes: bytes };
  const total = (tables: readonly Choice[]): number => tables.reduce((sum, table) => sum + table.bytes, 0);
  let rank = 1;
  while (rank < LARGEST_RANK && total(rows.map((n) => tableAt(n, rank + 1))) <= bytes) rank++;
  const tables = rows.map((n) => tableAt(n, rank));
  const bySize = rows.map((_, t) => t).sort((a, b) => rows[b] - rows[a] || a - b);
  for (const t of bySize) {
    const bigger = tables.with(t, tableAt(rows[t], rank + 1));
    if (total(bigger) <= bytes) tables[t] = bigger[t];
  }
  return sized(within, tables);
}

/** Shapes of the default rule are left to it. */
function ttEmbedding({ ranks, rowShape }: TTShape, shapes: ShapeRule): EmbeddingConfig {
  return { kind: "tt", ranks: ranks.slice(1, -1), ...(shapes === "compact" && { rowShape }) };
}

/** Cores in their part of the budget, cached rows in what they leave; one cached row a table at least. */
function cachedWithin(request: SizeRequest): SizedMethod {
  const { budgetBytes, cachePart, cacheStorage, embeddingDim, rows } = request;
  const cores = ttWithin(request, (1 - cachePart) * budgetBytes);
  const rowBytes = cachedRowBytes(embeddingDim, cacheStorage);
  const cached = allotHottest(request.counts, Math.floor((budgetBytes - cores.bytes) / rowBytes));
  const bytes = cores.bytes + cached.reduce((sum, count) => sum + count * rowBytes, 0);
  const tables = cores.tables.map(({ embedding }, t) => ({ embedding, cacheRows: Math.min(rows[t], cached[t]) }));
  return { tables, bytes, isReached: bytes <= budgetBytes };
}

function hotRows(request: SizeRequest): SizedMethod {
  const { budgetBytes, embeddingDim, rows, counts } = request;
  const rowBytes = 4 * embeddingDim;
  const kept = allotHottest(counts, Math.floor(budgetBytes / rowBytes) - rows.length);
  return sized(
    request,
    // The row of all others is there unless every id has its own.
    rows.map((n, t) => choice({ kind: "hot-rows", rows: kept[t] }, rowBytes * (kept[t] < n ? kept[t] + 1 : kept[t]))),
  );
}
