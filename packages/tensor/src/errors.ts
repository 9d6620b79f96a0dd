/** Every code that a deliberate error of tt-rec can carry; the command maps them to exit codes. */
export const ERROR_CODES = [
  "E_SHAPE",
  "E_OPTION",
  "E_INDEX",
  "E_OFFSETS",
  "E_WEIGHTS",
  "E_STEP",
  "E_DISPOSED",
  "E_STALE_PLAN",
  "E_MEMORY",
  "E_WORKER",
  "E_GPU",
  "E_NONFINITE",
  "E_NOT_FOUND",
  "E_EXISTS",
  "E_EMPTY",
  "E_ROW",
  "E_CORRUPT",
  "E_VERSION",
  "E_MISMATCH",
  "E_IO",
] as const;

/** What rule was broken: see `ERROR_CODES`. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Where the rule was broken, as far as it is known. */
export interface ErrorPlace {
  /** Name or path of the file. */
  readonly file?: string;
  /** Line of a text file, from 1. */
  readonly line?: number;
  /** Column of a table, by name. */
  readonly column?: string;
  /** Byte offset in the file. */
  readonly byte?: number;
  /** Name of the tensor or table. */
  readonly tensor?: string;
  /** Training step. */
  readonly step?: number;
}

/** A deliberate error: a sentence with the rule and the numbers, a code for programs, and a place. */
export class TtError extends Error {
  /** The broken rule, for programs. */
  readonly code: ErrorCode;
  /** Where it was broken. */
  readonly where: ErrorPlace;

  constructor(code: ErrorCode, message: string, where: ErrorPlace = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = "TtError";
    this.code = code;
    this.where = where;
  }
}

/** Tells a deliberate error by its code, since `instanceof` fails when two copies of this package are installed. */
export function isTtError(error: unknown): error is TtError {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return error instanceof Error && ERROR_CODES.some((known) => known === code);
}
