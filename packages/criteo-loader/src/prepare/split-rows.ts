import { TtError } from "@tt-rec/tensor";

/** Rows of each part of a data set, which follow each other in the order of the log: train, test, validation. */
export interface SplitRows {
  /** Rows of all days but the last. */
  readonly train: number;
  /** Rows of the last day's beginning. */
  readonly test: number;
  /** Rows of the last day's end. */
  readonly validation: number;
}

/** Cuts rows into equal contiguous days; the first `rows % days` days get one more, as in DLRM. */
export function dayRows(rows: number, days: number): number[] {
  return Array.from({ length: days }, (_, day) => Math.floor(rows / days) + (day < rows % days ? 1 : 0));
}

/**
 * Splits days into training (all but the last), test and validation (the last day's end). Throws `E_OPTION` if there
 * is no training row or nothing to hold out.
 */
export function splitRows(days: readonly number[], validationShare: number): SplitRows {
  const rows = days.reduce((sum, count) => sum + count, 0);
  const last = days[days.length - 1];
  if (rows === last || last === 0) {
    throw new TtError("E_OPTION", `${rows} rows cannot be split into ${days.length} days: the first and the last need some`);
  }
  const validation = Math.floor(last * validationShare);
  return { train: rows - last, test: last - validation, validation };
}
