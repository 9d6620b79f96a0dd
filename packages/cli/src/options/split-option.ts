import type { SplitRule } from "@tt-rec/criteo-loader";
import { type OptionSpec, refuse } from "./option-spec.ts";

/** A rule for what is held out, in place of days; null means days. */
export type SplitSetting = Exclude<SplitRule, { by: "days" }> | null;

type Range = readonly [from: number, to: number];

const RULE =
  "fractions=test,validation like fractions=0.1,0.1, or ranges=train,test,validation like ranges=0:800,800:900,900:1000";

/** Shares of the rows from the end of the log, or ranges of rows. */
export const SPLIT: OptionSpec<SplitSetting> = {
  default: null,
  description: `What is held out, in place of days: ${RULE}`,
  placeholder: "rule",
  schema: { type: ["string", "null"] },
  parse(name, value) {
    const [, kind, list] = /^(fractions|ranges)=(.*)$/.exec(String(value)) ?? [];
    const parts = list?.split(",") ?? [];
    if (kind === "fractions" && parts.length === 2) {
      const [test, validation] = parts.map((part) => (part === "" ? Number.NaN : Number(part)));
      if (test + validation >= 0) return { by: "fractions", test, validation };
    }
    const ranges = parts.map(rangeOf);
    if (kind !== "ranges" || ranges.length !== 3 || ranges.includes(undefined)) throw refuse(name, value, RULE);
    const [train, test, validation] = ranges as Range[];
    return { by: "ranges", train, test, validation };
  },
};

function rangeOf(text: string): Range | undefined {
  const [, from, to] = /^(\d+):(\d+)$/.exec(text) ?? [];
  return from === undefined ? undefined : [Number(from), Number(to)];
}
