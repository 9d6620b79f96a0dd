import { mixBits } from "@tt-rec/tensor";
import type { RankLaw } from "./zipf-mandelbrot.ts";

/** Ranks below this keep their place: the head of each column of the chain is the head of the next. */
const KEPT_RANKS = 64;

/**
 * A fixed many-to-one map from the ranks of a finer column to those of a coarser one. Each rank goes where its share
 * of the finer law lies in the coarser law, after ranks of about equal frequency were mixed by a hash; so both laws
 * come out right, and ids that merge have nothing in common but their frequency.
 */
export function coarserRank(fine: RankLaw, coarse: RankLaw, key: number): (rank: number) => number {
  return (rank) => {
    const mixed = mixedRank(rank, fine.size, key);
    return coarse.quantile((fine.cumulative(mixed - 1) + fine.cumulative(mixed)) / 2);
  };
}

/** A bijection of 1 … size that moves a rank only within its octave [2^bits, 2^(bits + 1)). */
function mixedRank(rank: number, size: number, key: number): number {
  if (rank < KEPT_RANKS) return rank;
  const bits = 31 - Math.clz32(rank);
  const mask = 2 ** bits - 1;
  const factor = mixBits(key + bits) | 1;
  let low = rank & mask;
  // The last octave may be cut off: walk on until the rank is one that exists.
  do {
    low = (Math.imul(low, factor) + key) & mask;
    low ^= low >>> (bits >> 1);
    low = Math.imul(low, factor) & mask;
  } while (mask + 1 + low > size);
  return mask + 1 + low;
}
