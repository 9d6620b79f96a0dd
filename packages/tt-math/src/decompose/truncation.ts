import { TtError } from "@tt-rec/tensor";

/** How far a decomposition may go: a bound on ranks, on the error, or on both. */
export interface Truncation {
  /** Largest rank: one for all bonds, or one a bond (d − 1 of them). Default no bound. */
  readonly maxRank?: number | readonly number[];
  /** Relative Frobenius error that is allowed, in [0, 1). Default 0: only rounding noise is dropped. */
  readonly epsilon?: number;
}

/** A truncation that has passed its checks. */
export interface CheckedTruncation {
  /** Largest rank of each bond. */
  readonly maxRanks: readonly number[];
  /** Allowed relative error. */
  readonly epsilon: number;
}

/** Checks a truncation for a number of bonds. Throws E_SHAPE or E_OPTION. */
export function checkTruncation(
  { maxRank = Number.POSITIVE_INFINITY, epsilon = 0 }: Truncation,
  bonds: number,
): CheckedTruncation {
  if (!(epsilon >= 0 && epsilon < 1)) throw new TtError("E_OPTION", `epsilon = ${epsilon} is not in [0, 1)`);
  const maxRanks = typeof maxRank === "number" ? new Array<number>(bonds).fill(maxRank) : maxRank;
  if (maxRanks.length !== bonds) throw new TtError("E_SHAPE", `maxRank has ${maxRanks.length} entries for ${bonds} bonds`);
  for (const rank of maxRanks) {
    if (!(rank >= 1) || (rank !== Number.POSITIVE_INFINITY && !Number.isInteger(rank))) {
      throw new TtError("E_OPTION", `maxRank = ${rank} is not a positive integer`);
    }
  }
  return { maxRanks, epsilon };
}

/** Where singular values are cut off. */
export interface Cut {
  /** How many are kept, at least 1. */
  readonly rank: number;
  /** Sum of the squares of the others. */
  readonly droppedSquares: number;
}

/** The smallest rank that drops squares of at most `allowedSquares` in sum, bounded by `maxRank`. */
export function cutTail(values: Float64Array, allowedSquares: number, maxRank: number): Cut {
  let rank = values.length;
  let droppedSquares = 0;
  while (rank > 1) {
    const withNext = droppedSquares + values[rank - 1] ** 2;
    if (rank <= maxRank && withNext > allowedSquares) break;
    droppedSquares = withNext;
    rank--;
  }
  return { rank, droppedSquares };
}

/** A result above its error is decomposed again for a little less than what it missed by. */
const AGAIN = 0.99;

/**
 * The error to aim at next where one above `epsilon` was found, or undefined where nothing is to be done: the error is met, or a
 * rank is bound. Only padding asks for this: the errors of its bonds can add up, where those of other rows are orthogonal.
 */
export function tighterEpsilon(
  { epsilon, maxRanks }: CheckedTruncation,
  target: number,
  relativeError: number,
  ranks: readonly number[],
): number | undefined {
  const met = epsilon === 0 || relativeError <= epsilon || target < NEGLIGIBLE;
  return met || maxRanks.some((maxRank, bond) => ranks[bond + 1] >= maxRank)
    ? undefined
    : (AGAIN * target * epsilon) / relativeError;
}

/** No error smaller than this is worth another decomposition. */
const NEGLIGIBLE = 1e-9;
