import type { Rng, Runtime } from "@tt-rec/tensor";
import { cutTail } from "../truncation.ts";
import { Buffers } from "./buffers.ts";
import { findRange, type Range } from "./range-finder.ts";
import type { Unfolding } from "./unfolding.ts";

/** Vectors beyond the rank that a sketch has, so that it misses little. */
const OVERSAMPLING = 10;

/** Vectors of the first sketch where an error is asked for, and the rank is not known. */
const FIRST_GUESS = 42;

/** What the truncation of a bond is bound by. */
export interface BondBound {
  /** Squares of the norm that may be dropped, or undefined where only the rank counts. */
  readonly allowedSquares: number | undefined;
  /** Largest rank. */
  readonly maxRank: number;
  /** Power iterations of each sketch. */
  readonly powerIterations: number;
}

/** A range and how much of it is kept. */
export interface LeadingRange extends Range {
  /** Vectors that are kept. */
  readonly rank: number;
  /** Vectors in `basis`, and rows in the tiles. */
  readonly size: number;
  /** Squares of the norm outside of what is kept. */
  readonly droppedSquares: number;
  /** Holds the tiles. */
  readonly buffers: Buffers;
}

/** Part of the norm that is rounding of float32 sums. */
const NOISE = 1e-6;

/**
 * The smallest leading range that loses no more than the bound allows. Where a sketch misses too much, one of twice as many
 * vectors follows. `normSquares` is that of the unfolding.
 */
export async function leadingRange(
  runtime: Runtime,
  unfolding: Unfolding,
  normSquares: number,
  bound: BondBound,
  rng: Rng,
): Promise<LeadingRange> {
  const { maxRank, powerIterations } = bound;
  const allowedSquares = bound.allowedSquares ?? NOISE * NOISE * normSquares;
  const columns = unfolding.widths.reduce((a, b) => a + b, 0);
  const limit = Math.min(unfolding.rows, columns, maxRank + OVERSAMPLING);
  for (let size = Math.min(limit, bound.allowedSquares === undefined ? limit : FIRST_GUESS); ; size = Math.min(limit, 2 * size)) {
    const buffers = new Buffers(runtime);
    const range = await findRange(runtime.kernels, buffers, unfolding, size, powerIterations, rng);
    const found = range.values.reduce((sum, value) => sum + value * value, 0);
    // Rounding can find a little more than there is.
    const missed = Math.max(0, normSquares - found);
    if (missed <= allowedSquares || size === limit) {
      const { rank, droppedSquares } = cutTail(range.values, Math.max(0, allowedSquares - missed), maxRank);
      return { ...range, rank, size, droppedSquares: missed + droppedSquares, buffers };
    }
    buffers.release();
  }
}
