/** What is known of an id column of Criteo Kaggle. */
export interface IdColumn {
  /** Number of ids, the missing one not counted. */
  readonly ids: number;
  /** Exponent s of the Zipf–Mandelbrot law p(rank) ~ (rank + q)^-s fitted to the column. */
  readonly exponent: number;
  /** Shift q of the law. */
  readonly shift: number;
}

const idColumn = (ids: number, exponent: number, shift: number): IdColumn => ({ ids, exponent, shift });

/** C1..C26: cardinalities of the full set, fits of a 0.3 % sample. */
export const ID_COLUMNS: readonly IdColumn[] = [
  idColumn(1460, 1.94, 0.25),
  idColumn(583, 1.78, 8),
  idColumn(10131226, 1, 2),
  idColumn(2202607, 1.12, 3),
  idColumn(305, 2.5, 0.25),
  idColumn(23, 3, 0),
  idColumn(12517, 1.02, 8),
  idColumn(633, 2.2, 0.25),
  idColumn(3, 3, 0),
  idColumn(93145, 1.1, 0),
  idColumn(5683, 1.12, 8),
  idColumn(8351592, 1.02, 2),
  idColumn(3194, 1.02, 5),
  idColumn(27, 2.84, 1),
  idColumn(14992, 1.68, 60),
  idColumn(5461305, 1.06, 3),
  idColumn(10, 1.3, 0),
  idColumn(5652, 1.88, 35),
  idColumn(2172, 1.4, 0),
  idColumn(3, 1.28, 60),
  idColumn(7046546, 1.04, 2),
  idColumn(17, 3, 0),
  idColumn(15, 3, 1),
  idColumn(286180, 1.3, 5),
  idColumn(104, 3, 2),
  idColumn(142571, 1.18, 2),
];

/** The columns of the functional chain, finest first, from 0: C3, C12, C21, C16, C4, C24. */
export const CHAIN: readonly number[] = [2, 11, 20, 15, 3, 23];

/** What is known of a whole-number column: ln(x + 1) of its values is about normal. */
export interface DenseColumn {
  /** Mean of ln(x + 1). */
  readonly mean: number;
  /** Standard deviation of ln(x + 1). */
  readonly deviation: number;
  /** Largest value. */
  readonly largest: number;
  /** Share of values below 0. */
  readonly negative: number;
}

const denseColumn = (mean: number, deviation: number, largest: number, negative = 0): DenseColumn => ({
  mean,
  deviation,
  largest,
  negative,
});

/** I1..I13. */
export const DENSE_COLUMNS: readonly DenseColumn[] = [
  denseColumn(0.868, 0.975, 425),
  denseColumn(2.098, 2.108, 10255, 0.103),
  denseColumn(2.149, 1.19, 65535),
  denseColumn(1.702, 0.907, 349),
  denseColumn(7.276, 2.925, 2071071),
  denseColumn(3.401, 1.754, 111105),
  denseColumn(1.64, 1.378, 6498),
  denseColumn(2.04, 1.155, 1689),
  denseColumn(3.544, 1.629, 9465),
  denseColumn(0.397, 0.401, 7),
  denseColumn(0.932, 0.775, 123),
  denseColumn(0.291, 0.621, 193),
  denseColumn(1.729, 0.965, 1574),
];

/** Columns that are missing together, numbered from 0, and in which share of the rows. */
export interface MissingGroup {
  /** Whole-number columns. */
  readonly dense: readonly number[];
  /** Id columns. */
  readonly ids: readonly number[];
  /** Share of rows. */
  readonly rate: number;
}

/** Every group of Criteo Kaggle; a column in none is never missing. */
export const MISSING_GROUPS: readonly MissingGroup[] = [
  { dense: [0, 9], ids: [], rate: 0.4509 },
  { dense: [2], ids: [], rate: 0.2134 },
  { dense: [3, 12], ids: [], rate: 0.2145 },
  { dense: [4], ids: [], rate: 0.0263 },
  { dense: [5], ids: [], rate: 0.2227 },
  { dense: [6, 8, 10], ids: [], rate: 0.0428 },
  { dense: [7], ids: [], rate: 0.0005 },
  { dense: [11], ids: [], rate: 0.7652 },
  { dense: [], ids: CHAIN, rate: 0.0345 },
  { dense: [], ids: [5], rate: 0.1218 },
  { dense: [], ids: [18, 19, 24, 25], rate: 0.4418 },
  { dense: [], ids: [21], rate: 0.7613 },
];
