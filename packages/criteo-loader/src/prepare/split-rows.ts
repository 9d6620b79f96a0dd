import { TtError } from "@tt-rec/tensor";
import { SPLITS, type Split } from "../manifest/manifest.ts";

/** Rows [from, to) of the log. */
export interface RowRange {
  /** First row. */
  readonly from: number;
  /** The row after the last. */
  readonly to: number;
}

/** Equal contiguous days, the last of which is held out. */
export interface SplitByDays {
  /** Marks this rule. */
  readonly by: "days";
  /** Number of days, at least 2, or "files": each source is a day. */
  readonly days: number | "files";
  /** Share of the last day, taken from its end, that is for validation; the rest is for the test. */
  readonly validationShare: number;
}

/** Shares of all rows from the end of the log: training rows, then test, then validation. */
export interface SplitByFractions {
  /** Marks this rule. */
  readonly by: "fractions";
  /** Share of the test rows. */
  readonly test: number;
  /** Share of the validation rows. */
  readonly validation: number;
}

/** Rows [from, to) of the log for each part. They may not overlap, and rows outside them are left out. */
export interface SplitByRanges {
  /** Marks this rule. */
  readonly by: "ranges";
  /** Training rows, at least one. */
  readonly train: readonly [from: number, to: number];
  /** Test rows. */
  readonly test: readonly [from: number, to: number];
  /** Validation rows. */
  readonly validation: readonly [from: number, to: number];
}

/** How the rows of a log become training, test and validation rows. */
export type SplitRule = SplitByDays | SplitByFractions | SplitByRanges;

/** Where the rows of a log go. */
export interface SplitPlan {
  /** Rows of each part. */
  readonly splits: Readonly<Record<Split, RowRange>>;
  /** Number of rows of each day: a share of the log, or a source. */
  readonly days: readonly number[];
}

/** An Arrow file that is to be written. */
export interface PlannedFile extends RowRange {
  /** Its name: split and day. */
  readonly name: string;
  /** Part that its rows belong to. */
  readonly split: Split;
  /** Day that its rows come from, from 0. */
  readonly day: number;
}

/** Cuts rows into equal contiguous days; the first `rows % days` days get one more, as in DLRM. */
export function dayRows(rows: number, days: number): number[] {
  return Array.from({ length: days }, (_, day) => Math.floor(rows / days) + (day < rows % days ? 1 : 0));
}

/**
 * Applies a rule to the rows of the sources. Throws `E_OPTION` if there is no training row, nothing is held out by days,
 * or ranges overlap or exceed the log.
 */
export function planSplit(sourceRows: readonly number[], rule: SplitRule): SplitPlan {
  const total = sourceRows.reduce((sum, rows) => sum + rows, 0);
  if (rule.by === "ranges") return { splits: checkedRanges(rule, total), days: sourceRows };
  if (rule.by === "fractions") {
    const [test, validation] = [Math.floor(total * rule.test), Math.floor(total * rule.validation)];
    if (total === test + validation) throw new TtError("E_OPTION", `of ${total} rows, none is left for training`);
    return { splits: inOrder(total - test - validation, test, validation), days: sourceRows };
  }
  const days = rule.days === "files" ? sourceRows : dayRows(total, rule.days);
  const last = days[days.length - 1];
  if (total === last || last === 0) {
    throw new TtError("E_OPTION", `${total} rows cannot be split into ${days.length} days: the first and the last need some`);
  }
  const validation = Math.floor(last * rule.validationShare);
  return { splits: inOrder(total - last, last - validation, validation), days };
}

function inOrder(train: number, test: number, validation: number): SplitPlan["splits"] {
  return {
    train: { from: 0, to: train },
    test: { from: train, to: train + test },
    validation: { from: train + test, to: train + test + validation },
  };
}

function checkedRanges(rule: SplitByRanges, total: number): SplitPlan["splits"] {
  const ranges = SPLITS.map((split) => ({ split, from: rule[split][0], to: rule[split][1] }));
  const filled = ranges.filter(({ from, to }) => from < to).sort((a, b) => a.from - b.from);
  for (const [i, { split, from, to }] of filled.entries()) {
    if (to > total) throw new TtError("E_OPTION", `the ${split} range ends at row ${to}, the log has ${total}`);
    const before = filled[i - 1];
    if (before !== undefined && before.to > from) {
      throw new TtError("E_OPTION", `the ranges of ${before.split} and ${split} share row ${from}`);
    }
  }
  const [train, test, validation] = ranges;
  if (train.from === train.to) throw new TtError("E_OPTION", "the training range is empty");
  return { train, test, validation };
}

/** The files of a data set: one for each split and day that has rows, in the order of the splits. */
export function planFiles({ splits, days }: SplitPlan): PlannedFile[] {
  return SPLITS.flatMap((split) => {
    let begin = 0;
    return days.flatMap((rows, day) => {
      const [from, to] = [Math.max(splits[split].from, begin), Math.min(splits[split].to, begin + rows)];
      begin += rows;
      return from < to ? [{ name: splitFile(split, day), split, day, from, to }] : [];
    });
  });
}

/** Name of the Arrow file of a day of a split. */
function splitFile(split: Split, day: number): string {
  return `${split}-${day}.arrow`;
}
