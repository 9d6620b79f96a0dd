import type { CoreStorage, ShapeRule } from "@tt-rec/tt-math";
import { type BytesSetting, bytesOption } from "./bytes-option.ts";
import type { OptionSpecs } from "./command-options.ts";
import { choiceOption, integerOption, numberOption, type OptionSpec, refuse } from "./option-spec.ts";
import { SHAPES } from "./shapes-option.ts";

/** Flags of `compress`. */
export interface CompressFlags {
  /** Bytes that the file's tensors may take. */
  readonly budget: BytesSetting;
  /** How many times smaller the tables get. */
  readonly ratio: number;
  /** Relative error of each table. */
  readonly epsilon: number;
  /** Tables to compress, by name. */
  readonly tables: readonly string[];
  /** How row factors are chosen. */
  readonly shapes: ShapeRule;
  /** How cores are stored. */
  readonly storage: CoreStorage;
  /** Seed of the randomised decomposition. */
  readonly seed: number;
}

const NAMES: OptionSpec<readonly string[]> = {
  default: [],
  description:
    "Tensors to compress; else all with two axes, 1,000 rows or more, 8 rows a column or more, and no name of optimizer state",
  placeholder: "name,name",
  schema: { type: "array", items: { type: "string" } },
  parse(name, value) {
    const names = String(value).split(",");
    if (names.some((part) => part === "")) throw refuse(name, value, "a list of names like users,items");
    return names;
  },
};

/** Flags of `compress`, besides its files. */
export const COMPRESS_OPTIONS: OptionSpecs<CompressFlags> = {
  budget: bytesOption(0, "Bytes that all tensors of the result may take, such as 20MB"),
  ratio: numberOption(0, false, "How many times smaller the tables get, against float32"),
  epsilon: numberOption(0, false, "Relative error that each table may have, such as 0.1"),
  tables: NAMES,
  shapes: SHAPES,
  storage: choiceOption<CoreStorage>("float32", ["float32", "float16", "int8"], "How the numbers of the cores are stored"),
  seed: integerOption(1, 0, "Seed of the randomised decomposition"),
};
