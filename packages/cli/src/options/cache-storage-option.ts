import type { RowStorage } from "@tt-rec/tt-math";
import { choiceOption, type OptionSpec } from "./option-spec.ts";

/** How cached rows are held; `plan` and `train` share it. */
export const CACHE_STORAGE: OptionSpec<RowStorage> = choiceOption<RowStorage>(
  "float32",
  ["float32", "int8"],
  "How cached rows are held: int8 is a byte a number and a scale a row, rounded stochastically, for more rows in the same bytes",
);
