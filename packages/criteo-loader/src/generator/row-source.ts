import { mixBits, type Rng } from "@tt-rec/tensor";
import { CHAIN, DENSE_COLUMNS, type DenseColumn, ID_COLUMNS, MISSING_GROUPS } from "./column-table.ts";
import { coarserRank } from "./id-chain.ts";
import { type RankLaw, zipfMandelbrot } from "./zipf-mandelbrot.ts";

/** Columns with fewer ids keep their cardinality at every scale, and the others do not fall below it. */
const SMALL_COLUMN = 100;

/** One row before it is written; the next draw overwrites it. */
export interface DrawnRow {
  /** Whole numbers; NaN if missing. */
  readonly integers: Float64Array;
  /** Rank of each id in its column, from 1; 0 if missing. */
  readonly ranks: Uint32Array;
}

/** Draws the features of rows. */
export interface RowSource {
  /** Law of each id column. */
  readonly laws: readonly RankLaw[];
  /** Draws a row. */
  draw(rng: Rng): DrawnRow;
}

/** Makes a source of rows with the skew, the functional chain and the missing groups of Criteo Kaggle. */
export function createRowSource(key: number, scale: number): RowSource {
  const laws = ID_COLUMNS.map(({ ids, exponent, shift }) => zipfMandelbrot(scaled(ids, scale), exponent, shift));
  const links = CHAIN.slice(1).map((coarse, link) => ({
    fine: CHAIN[link],
    coarse,
    map: coarserRank(laws[CHAIN[link]], laws[coarse], mixBits(key + link)),
  }));
  const drawn = ID_COLUMNS.map((_, column) => column).filter((column) => !links.some(({ coarse }) => coarse === column));
  const row: DrawnRow = { integers: new Float64Array(DENSE_COLUMNS.length), ranks: new Uint32Array(ID_COLUMNS.length) };
  return {
    laws,
    draw(rng) {
      const { integers, ranks } = row;
      for (let column = 0; column < integers.length; column++) integers[column] = drawInteger(DENSE_COLUMNS[column], rng);
      for (const column of drawn) ranks[column] = laws[column].quantile(rng.uniform());
      for (const { fine, coarse, map } of links) ranks[coarse] = map(ranks[fine]);
      for (const { dense, ids, rate } of MISSING_GROUPS) {
        if (rng.uniform() >= rate) continue;
        for (const column of dense) integers[column] = Number.NaN;
        for (const column of ids) ranks[column] = 0;
      }
      return row;
    },
  };
}

function scaled(ids: number, scale: number): number {
  return ids <= SMALL_COLUMN ? ids : Math.max(SMALL_COLUMN, Math.round(ids * scale));
}

function drawInteger({ mean, deviation, largest, negative }: DenseColumn, rng: Rng): number {
  const value = Math.min(largest, Math.max(0, Math.round(Math.exp(mean + deviation * rng.normal()) - 1)));
  if (negative === 0) return value;
  const share = rng.uniform() / negative;
  // Criteo's only negatives are -1 and, rarely, -2.
  return share < 0.02 ? -2 : share < 1 ? -1 : value;
}
