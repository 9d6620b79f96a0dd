import { type CoreStorage, storedBytes } from "../quantize/quantize-cores.ts";
import { compactShape } from "../shape/compact-shape.ts";
import { suggestShape } from "../shape/suggest-shape.ts";
import { createTTShape, parameterCount, type TTShape } from "../shape/tt-shape.ts";
import { capturedShare } from "./captured-share.ts";
import type { Choice } from "./knapsack.ts";

/** How row factors are chosen: as the paper does, or for few bytes. */
export type ShapeRule = "suggested" | "compact";

/** One way to store a table. */
export interface StoredTable {
  /** Shape of the cores; absent for a dense table. */
  readonly shape?: TTShape;
  /** Rows kept in a cache of hot rows. */
  readonly cacheRows: number;
}

/** One way to store a table, with what it costs and is worth. */
export interface TableChoice extends StoredTable, Choice {}

/** What is known of a table before it is planned. */
export interface TableFacts {
  /** Rows n. */
  readonly numEmbeddings: number;
  /** Columns D. */
  readonly embeddingDim: number;
  /** How its row factors are chosen. */
  readonly shapes: ShapeRule;
  /** How its cores are stored. */
  readonly storage: CoreStorage;
  /** How cached rows are held. */
  readonly cacheStorage: RowStorage;
  /** Accesses of each row; without them no cache is planned. */
  readonly histogram: ArrayLike<number> | undefined;
}

/** Ranks that a budget chooses from. */
const RANKS: readonly number[] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];

/** How rows of a cache are held: as floats, or as bytes with a scale a row. */
export type RowStorage = "float32" | "int8";

/** Bytes of a cached row as a deployed model needs it: its numbers, its scale if it has one, and the id that finds it. */
export function cachedRowBytes(embeddingDim: number, storage: RowStorage = "float32"): number {
  return (storage === "int8" ? embeddingDim + 4 : 4 * embeddingDim) + 4;
}

/** The shape of a table with three cores by a rule, at a rank bound. */
export function ruledShape(
  { numEmbeddings, embeddingDim, shapes }: Pick<TableFacts, "numEmbeddings" | "embeddingDim" | "shapes">,
  rank: number,
): TTShape {
  const columnShape = suggestShape(embeddingDim, 3, { roundUp: false });
  const rowShape = shapes === "compact" ? compactShape(numEmbeddings, columnShape, rank) : suggestShape(numEmbeddings, 3);
  return createTTShape({ numEmbeddings, embeddingDim, rowShape, columnShape, ranks: rank });
}

/**
 * The ways to store a table and the expected lookups that each serves: all of a dense table and of cached rows, and the
 * captured share of the others. The dense one is the last.
 */
export function tableChoices(facts: TableFacts, maxRank: number, compress: boolean): TableChoice[] {
  const { numEmbeddings, embeddingDim, storage, cacheStorage, histogram } = facts;
  const floats = numEmbeddings * embeddingDim;
  const dense: TableChoice = { bytes: 4 * floats, value: 1, cacheRows: 0 };
  if (!compress) return [dense];
  const caches = histogram === undefined ? [{ rows: 0, hits: 0 }] : cacheSizes(histogram);
  const choices = RANKS.filter((rank) => rank <= maxRank).flatMap((rank) => {
    const shape = ruledShape(facts, rank);
    const share = capturedShare(parameterCount(shape), floats);
    const bytes = storedBytes(shape, storage);
    return caches.map(({ rows, hits }) => ({
      shape,
      cacheRows: rows,
      bytes: bytes + rows * cachedRowBytes(embeddingDim, cacheStorage),
      value: hits + (1 - hits) * share,
    }));
  });
  return [...choices.filter(({ bytes }) => bytes < dense.bytes), dense];
}

/** Cache sizes, doubling, and the share of lookups that go to so many of the hottest rows. */
function cacheSizes(histogram: ArrayLike<number>): { rows: number; hits: number }[] {
  const counts = Float64Array.from(histogram).sort().reverse();
  const total = counts.reduce((a, b) => a + b, 0);
  const sizes = [{ rows: 0, hits: 0 }];
  let sum = 0;
  let next = 1;
  for (let i = 0; i < counts.length && counts[i] > 0; i++) {
    sum += counts[i];
    if (i + 1 < next) continue;
    sizes.push({ rows: i + 1, hits: sum / total });
    next *= 2;
  }
  return sizes;
}
