import { type ErrorCode, isTtError } from "@tt-rec/tensor";

/** Exit code of each deliberate error: 2 usage, 3 bad data, 4 corrupt file, 5 resource, 6 numeric. */
const EXIT_CODES: { readonly [code in ErrorCode]: number } = {
  E_OPTION: 2,
  E_NOT_FOUND: 2,
  E_EXISTS: 2,
  E_ROW: 3,
  E_EMPTY: 3,
  E_SHAPE: 3,
  E_INDEX: 3,
  E_OFFSETS: 3,
  E_WEIGHTS: 3,
  E_CORRUPT: 4,
  E_VERSION: 4,
  E_MISMATCH: 4,
  E_MEMORY: 5,
  E_WORKER: 5,
  E_GPU: 5,
  E_IO: 5,
  E_NONFINITE: 6,
  // Mistakes of the command's own code, not of its user.
  E_STEP: 1,
  E_DISPOSED: 1,
  E_STALE_PLAN: 1,
};

/** The exit code for an error; 1 for one that nobody foresaw. */
export function exitCodeOf(error: unknown): number {
  if (isTtError(error)) return EXIT_CODES[error.code];
  // The argument parser's own errors: an unknown option, a missing argument.
  return error instanceof Error && error.name === "CACError" ? 2 : 1;
}
