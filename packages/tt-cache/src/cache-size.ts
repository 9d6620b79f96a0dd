import { TtError } from "@tt-rec/tensor";
import type { RowStorage, TTShape } from "@tt-rec/tt-math";
import { rowBytes } from "./row-storage.ts";
import { SlotTable } from "./slot-table.ts";

/** How large a cache is: exactly one of these. */
export interface CacheSizeOptions {
  /** Most rows the cache can hold; the paper finds 0.01 % of the table's rows sufficient. */
  readonly cacheRows?: number;
  /** Bytes of the cached rows and of the map that finds them; optimizer state and the counters of the policy come on top. */
  readonly cacheBytes?: number;
  /** Share of the table's rows that the cache can hold, above 0 and at most 1; rounded down, but at least one row. */
  readonly cacheShare?: number;
}

/** Bytes of a cache of some rows, as `cacheBytes` counts them. */
function bytesOfRows(rows: number, embeddingDim: number, storage: RowStorage): number {
  // A row, its id and its number of accesses.
  return rows * (rowBytes(embeddingDim, storage) + 8) + 8 * SlotTable.pairsFor(rows);
}

/** The most rows that a cache of this size holds. Throws `E_OPTION` unless there is one size, and it holds from one row to all of the table. */
export function resolveCacheRows(
  { cacheRows, cacheBytes, cacheShare }: CacheSizeOptions,
  { numEmbeddings, embeddingDim }: Pick<TTShape, "numEmbeddings" | "embeddingDim">,
  storage: RowStorage = "float32",
): number {
  const given = Object.entries({ cacheRows, cacheBytes, cacheShare }).filter(([, value]) => value !== undefined);
  if (given.length !== 1) {
    const names = given.map(([name]) => name).join(", ") || "none";
    throw new TtError("E_OPTION", `exactly one of cacheRows, cacheBytes and cacheShare is needed; given is ${names}`);
  }
  if (cacheShare !== undefined) {
    if (!(cacheShare > 0 && cacheShare <= 1))
      throw new TtError("E_OPTION", `cacheShare = ${cacheShare} is not above 0 and at most 1`);
    return Math.max(1, Math.floor(cacheShare * numEmbeddings));
  }
  if (cacheBytes !== undefined) {
    return rowsWithin(cacheBytes, numEmbeddings, (rows) => bytesOfRows(rows, embeddingDim, storage));
  }
  if (Number.isSafeInteger(cacheRows) && (cacheRows as number) >= 1 && (cacheRows as number) <= numEmbeddings) {
    return cacheRows as number;
  }
  throw new TtError(
    "E_OPTION",
    `cacheRows = ${cacheRows} is not a whole number from 1 to the number of embeddings, ${numEmbeddings}`,
  );
}

/** The most rows, at most all, whose bytes are within a budget; bytes rise with the rows. */
function rowsWithin(bytes: number, numEmbeddings: number, bytesOf: (rows: number) => number): number {
  const least = bytesOf(1);
  if (!(bytes >= least)) throw new TtError("E_OPTION", `cacheBytes = ${bytes} is below the ${least} bytes of one row`);
  let [fits, exceeds] = [1, numEmbeddings + 1];
  while (exceeds - fits > 1) {
    const middle = Math.floor((fits + exceeds) / 2);
    if (bytesOf(middle) <= bytes) fits = middle;
    else exceeds = middle;
  }
  return fits;
}
