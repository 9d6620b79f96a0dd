import { TtError } from "@tt-rec/tensor";

/** One setting: how it is described, checked and defaulted. Flags, config files and their schema all come from it. */
export interface OptionSpec<T> {
  /** Value when neither flag, config file nor preset gives one. */
  readonly default: T;
  /** One line for the help and the schema. */
  readonly description: string;
  /** What stands for the value in the help. */
  readonly placeholder: string;
  /** JSON schema of the value. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** Reads a value from a flag or a config file. Throws `E_OPTION`. */
  parse(name: string, value: unknown): T;
}

/** A whole number of at least `minimum`. */
export function integerOption(fallback: number, minimum: number, description: string): OptionSpec<number> {
  return {
    default: fallback,
    description,
    placeholder: "n",
    schema: { type: "integer", minimum },
    parse(name, value) {
      const number = toNumber(value);
      if (!(Number.isSafeInteger(number) && number >= minimum))
        throw refuse(name, value, `a whole number of at least ${minimum}`);
      return number;
    },
  };
}

/** A finite number above 0, or of at least 0 if `zero` is allowed. */
export function numberOption(fallback: number, zero: boolean, description: string): OptionSpec<number> {
  return {
    default: fallback,
    description,
    placeholder: "x",
    schema: zero ? { type: "number", minimum: 0 } : { type: "number", exclusiveMinimum: 0 },
    parse(name, value) {
      const number = toNumber(value);
      if (!(Number.isFinite(number) && (zero ? number >= 0 : number > 0)))
        throw refuse(name, value, zero ? "a number of at least 0" : "a number above 0");
      return number;
    },
  };
}

/** A setting that may be left unset: null in a config file. */
export function optional<T>(spec: OptionSpec<T>): OptionSpec<T | null> {
  return {
    ...spec,
    default: null,
    schema: { anyOf: [spec.schema, { type: "null" }] },
    parse: (name, value) => (value === null ? null : spec.parse(name, value)),
  };
}

/** True or false. */
export function booleanOption(fallback: boolean, description: string): OptionSpec<boolean> {
  return {
    default: fallback,
    description,
    placeholder: "true|false",
    schema: { type: "boolean" },
    parse(name, value) {
      if (value === true || value === "true") return true;
      if (value === false || value === "false") return false;
      throw refuse(name, value, "true or false");
    },
  };
}

/** Any text; "" means that none is given. */
export function textOption(fallback: string, placeholder: string, description: string): OptionSpec<string> {
  return { default: fallback, description, placeholder, schema: { type: "string" }, parse: (_, value) => String(value) };
}

/** One of a few words. */
export function choiceOption<T extends string>(fallback: T, choices: readonly T[], description: string): OptionSpec<T> {
  return {
    default: fallback,
    description,
    placeholder: choices.join("|"),
    schema: { enum: choices },
    parse(name, value) {
      const choice = choices.find((known) => known === value);
      if (choice === undefined) throw refuse(name, value, `one of ${choices.join(", ")}`);
      return choice;
    },
  };
}

/** Whole numbers of at least 1: on the command line with `separator` between them, in JSON a list. */
export function integersOption(
  fallback: readonly number[],
  separator: "-" | ",",
  description: string,
): OptionSpec<readonly number[]> {
  return {
    default: fallback,
    description,
    placeholder: ["n", "n", "n"].join(separator),
    schema: { type: "array", items: { type: "integer", minimum: 1 } },
    parse(name, value) {
      const parts = (Array.isArray(value) ? value : String(value).split(separator)).map(toNumber);
      if (!parts.every((part) => Number.isSafeInteger(part) && part >= 1)) {
        throw refuse(name, value, `a list of whole numbers like ${[512, 256, 16].join(separator)}`);
      }
      return parts;
    },
  };
}

/** A factor for samples labelled 0 and one for those labelled 1. */
export function weightsOption(description: string): OptionSpec<readonly [number, number]> {
  return {
    default: [1, 1],
    description,
    placeholder: "w0,w1",
    schema: { type: "array", items: { type: "number", minimum: 0 }, minItems: 2, maxItems: 2 },
    parse(name, value) {
      const [first, second, ...rest] = (Array.isArray(value) ? value : String(value).split(",")).map(toNumber);
      if (first >= 0 && second >= 0 && rest.length === 0 && Number.isFinite(first + second)) return [first, second];
      throw refuse(name, value, "two numbers of at least 0, like 1,4");
    },
  };
}

/** A flag's name for a setting: ttRanks → --tt-ranks. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** An empty string is no number, though Number("") is 0. */
function toNumber(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
}

/** The error for a value that breaks its rule. */
export function refuse(name: string, value: unknown, rule: string): TtError {
  return new TtError("E_OPTION", `${flagOf(name)} = ${JSON.stringify(value)} is not ${rule}`);
}
