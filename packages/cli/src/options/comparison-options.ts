import { METHODS, type Method } from "../compare/methods.ts";
import type { OptionSpecs } from "./command-options.ts";
import { integerOption, integersOption, numberOption, type OptionSpec, refuse } from "./option-spec.ts";

/** Flags of a comparison of embeddings, besides the settings of its base model. */
export interface ComparisonFlags {
  /** Ways of storing the tables. */
  readonly methods: readonly Method[];
  /** How many of the largest tables are compared; the others stay uncompressed. */
  readonly largest: number;
  /** How many times smaller they are to be. */
  readonly budgets: readonly number[];
  /** Share of a budget that the caches of cached TT tables get. */
  readonly cachePart: number;
  /** Columns D. */
  readonly dims: readonly number[];
  /** Step lengths of the MLPs that every method tries. */
  readonly mlpRates: readonly number[];
  /** Step lengths of the tables that every method tries, each with each of the MLPs'. */
  readonly tableRates: readonly number[];
  /** Seeds of the runs. */
  readonly seeds: readonly number[];
}

const METHOD_LIST: OptionSpec<readonly Method[]> = {
  default: METHODS,
  description: "Ways of storing the tables",
  placeholder: "name,name",
  schema: { type: "array", items: { enum: METHODS } },
  parse(name, value) {
    const methods = String(value).split(",");
    const known = methods.flatMap((given) => METHODS.filter((method) => method === given));
    if (known.length !== methods.length) throw refuse(name, value, `a list of ${METHODS.join(", ")}`);
    return known;
  },
};

/** Flags of a comparison. */
export const COMPARISON_OPTIONS: OptionSpecs<ComparisonFlags> = {
  methods: METHOD_LIST,
  largest: integerOption(7, 1, "How many of the largest tables are compared; the others stay uncompressed"),
  budgets: integersOption([10, 50, 100], ",", "How many times smaller the compared tables are to be"),
  cachePart: {
    ...numberOption(0.5, false, "Share of a budget that the caches of tt-cached get, below 1"),
    parse(name, value) {
      const part = numberOption(0, false, "").parse(name, value);
      if (part < 1) return part;
      throw refuse(name, value, "a number above 0 and below 1");
    },
  },
  dims: integersOption([16], ",", "Columns D, each a comparison of its own"),
  mlpRates: ratesOption([0.01], "Step lengths of the MLPs that every method tries on the validation rows"),
  tableRates: ratesOption([0.02, 0.05, 0.1, 0.2], "Step lengths of the tables that every method tries, with each of the MLPs'"),
  seeds: integersOption([1, 2, 3], ",", "Seeds of the runs behind each mean"),
};

function ratesOption(fallback: readonly number[], description: string): OptionSpec<readonly number[]> {
  return {
    default: fallback,
    description,
    placeholder: "x,x",
    schema: { type: "array", items: { type: "number", minimum: 0 } },
    parse(name, value) {
      const rates = String(value).split(",").map(Number);
      if (rates.every((rate) => rate > 0 && Number.isFinite(rate))) return rates;
      throw refuse(name, value, "a list of numbers above 0 like 0.02,0.05");
    },
  };
}
