import { type DataRole, hasOneSize, type Method, type Numbering, numberingsOf } from "./methods.ts";

/** What is compared. */
export interface ComparisonPlan {
  /** Ways of storing the tables. */
  readonly methods: readonly Method[];
  /** Columns D. */
  readonly dims: readonly number[];
  /** How many times smaller the compared tables are to be. */
  readonly budgets: readonly number[];
  /** Step lengths of the MLPs that are tried. */
  readonly mlpRates: readonly number[];
  /** Step lengths of the tables that are tried. */
  readonly tableRates: readonly number[];
  /** Seeds of the runs behind the table's means. */
  readonly seeds: readonly number[];
}

/** A method at a size on a data set: tuned once, then run with each seed. */
export interface Cell {
  readonly method: Method;
  readonly numbering: Numbering;
  readonly embeddingDim: number;
  /** How many times smaller; null for a method of one size. */
  readonly budget: number | null;
}

/** Step lengths. */
export interface Rates {
  readonly mlp: number;
  readonly tables: number;
}

/** All cells of a data set, the uncompressed model first, since the others are compared with it. */
export function cellsOf({ methods, dims, budgets }: ComparisonPlan, role: DataRole): Cell[] {
  const ordered = [...methods].sort((a, b) => Number(hasOneSize(b)) - Number(hasOneSize(a)));
  return dims.flatMap((embeddingDim) =>
    ordered.flatMap((method) =>
      (hasOneSize(method) ? [null] : budgets).flatMap((budget) =>
        numberingsOf(method, role).map((numbering) => ({ method, numbering, embeddingDim, budget })),
      ),
    ),
  );
}

/** The tuning trials of every cell, as many for each method. */
export function trialsOf({ mlpRates, tableRates }: ComparisonPlan): Rates[] {
  return mlpRates.flatMap((mlp) => tableRates.map((tables) => ({ mlp, tables })));
}
