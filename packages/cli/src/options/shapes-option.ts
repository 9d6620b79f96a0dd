import type { ShapeRule } from "@tt-rec/tt-math";
import { choiceOption, type OptionSpec } from "./option-spec.ts";

/** How row factors are chosen; `plan`, `train` and `compress` share it. */
export const SHAPES: OptionSpec<ShapeRule> = choiceOption<ShapeRule>(
  "suggested",
  ["suggested", "compact"],
  "Row factors of TT tables: as the paper, or compact ones for fewer bytes",
);
