import { createRng, mixBits, type Rng } from "@tt-rec/tensor";
import { DENSE_COLUMNS } from "./column-table.ts";
import type { DrawnRow, RowSource } from "./row-source.ts";

/** Click rate of Criteo Kaggle. */
const CLICK_RATE = 0.256;
/** Rows that the bias is fitted on. */
const CALIBRATION_ROWS = 8192;
/** Ranks over which an id column's effects are standardised exactly. */
const HEAD = 4096;

/** Standard deviation of the effect of an id column, by its number from 0. */
const ID_EFFECTS: readonly (readonly [column: number, deviation: number])[] = [
  [1, 0.3],
  [2, 0.3],
  [3, 0.4],
  [6, 0.35],
  [9, 0.35],
  [14, 0.4],
  [17, 0.3],
  [23, 0.4],
  [25, 0.35],
];
/** Standard deviation of the joint effect of the ids of two columns, beyond their own. */
const PAIR_EFFECTS: readonly (readonly [first: number, second: number, deviation: number])[] = [
  [1, 13, 0.4],
  [13, 22, 0.3],
];
/** Effect of one standard deviation of ln(x + 1), and of the value missing, by column from 0. */
const DENSE_EFFECTS: readonly (readonly [column: number, slope: number, missing: number])[] = [
  [0, 0.15, -0.3],
  [4, -0.25, -0.5],
  [5, -0.3, -0.4],
  [6, 0.25, -0.2],
  [10, 0.25, 0],
  [12, -0.15, 0],
];

/** The model that labels come from. */
export interface PlantedModel {
  /** Log-odds of a click for a row. */
  logit(row: DrawnRow): number;
  /** The part of the log-odds that whole numbers decide. */
  denseLogit(row: DrawnRow): number;
}

/**
 * Plants a model: every id of some columns has an effect of its own, drawn from a normal law by a hash of the id, and
 * so has every pair of ids of two pairs of columns; whole numbers act linearly. Nothing about it is of low rank.
 */
export function plantModel(key: number, rows: RowSource): PlantedModel {
  const effects = ID_EFFECTS.map(([column, deviation], index) => {
    const raw = (rank: number): number => hashedNormal(rank, mixBits(key + 2 * index + 1));
    return { column, effect: standardized(raw, rows.laws[column].cumulative, rows.laws[column].size, deviation) };
  });
  const pairs = PAIR_EFFECTS.map(([first, second, deviation], index) => ({
    first,
    second,
    deviation,
    key: mixBits(key - index - 1),
  }));
  const featureLogit = (row: DrawnRow): number => {
    let sum = denseLogit(row);
    for (const { column, effect } of effects) sum += effect(row.ranks[column]);
    for (const { first, second, deviation, key } of pairs) {
      sum += deviation * hashedNormal(mixBits(row.ranks[first] ^ key) + row.ranks[second], key);
    }
    return sum;
  };
  const bias = fitBias(featureLogit, rows, createRng(key));
  return { logit: (row) => bias + featureLogit(row), denseLogit };
}

function denseLogit({ integers }: DrawnRow): number {
  let sum = 0;
  for (const [column, slope, missing] of DENSE_EFFECTS) {
    const value = integers[column];
    const { mean, deviation } = DENSE_COLUMNS[column];
    sum += Number.isNaN(value) ? missing : (slope * (Math.log1p(Math.max(0, value)) - mean)) / deviation;
  }
  return sum;
}

/** Centres effects and gives them a standard deviation over the column's law, so that no seed has a dull frequent id. */
function standardized(
  raw: (rank: number) => number,
  cumulative: (rank: number) => number,
  size: number,
  deviation: number,
): (rank: number) => number {
  let mean = 0;
  let square = 0;
  const head = Math.min(size, HEAD);
  for (let rank = 1; rank <= head; rank++) {
    const share = cumulative(rank) - cumulative(rank - 1);
    mean += share * raw(rank);
    square += share * raw(rank) ** 2;
  }
  // Beyond the head there are enough ids for the law they are drawn from: mean 0, variance 1.
  square += 1 - cumulative(head);
  const factor = deviation / Math.sqrt(square - mean * mean);
  return (rank) => factor * (raw(rank) - mean);
}

/** Finds the bias that gives the click rate on average, by halving an interval. */
function fitBias(logit: (row: DrawnRow) => number, rows: RowSource, rng: Rng): number {
  const logits = Float64Array.from({ length: CALIBRATION_ROWS }, () => logit(rows.draw(rng)));
  let low = -20;
  let high = 20;
  for (let step = 0; step < 50; step++) {
    const middle = (low + high) / 2;
    const rate = logits.reduce((sum, value) => sum + sigmoid(value + middle), 0) / CALIBRATION_ROWS;
    if (rate < CLICK_RATE) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The logistic function. */
export function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}

/** A standard normal number that belongs to a word and a key (Box and Muller on two hashes). */
function hashedNormal(word: number, key: number): number {
  const radius = mixBits(word ^ key) >>> 0;
  const angle = mixBits((word + 0x9e3779b9) ^ mixBits(key)) >>> 0;
  return Math.sqrt(-2 * Math.log((radius + 1) / 2 ** 32)) * Math.cos((2 * Math.PI * angle) / 2 ** 32);
}
