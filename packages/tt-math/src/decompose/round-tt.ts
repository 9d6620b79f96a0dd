import { TtError } from "@tt-rec/tensor";
import { multiply } from "../linear-algebra/products.ts";
import { dot } from "../linear-algebra/vector-loops.ts";
import type { TTCores } from "../tt-cores.ts";
import { orthogonalizeRight, toTrain, toTT } from "./orthogonalize.ts";
import { extremeExponent, scaleByPower, spreadPower } from "./scaling.ts";
import { splitBond } from "./split-bond.ts";
import { checkTruncation, type Truncation } from "./truncation.ts";
import type { TTSvdResult } from "./tt-svd.ts";

/** Part of the norm below which singular values are the rounding of float32 cores. */
const NOISE = 1e-7;

/**
 * Lowers the ranks of a table in TT format (Oseledets 2011, algorithm 2) without multiplying it out.
 *
 * With orthonormal rows behind each bond, the singular values of one core are those of the whole unfolding, so each of the
 * d − 1 truncations may drop epsilon·‖W‖/√(d−1); the squares of what is dropped add up exactly. Norm and error are those
 * of all prod(p) rows: cores do not tell padding from rows.
 *
 * Throws E_SHAPE, E_OPTION or E_NONFINITE as `orthogonalize` and `ttSvd` do.
 */
export function roundTT(tt: TTCores, truncation: Truncation): TTSvdResult {
  const train = toTrain(tt);
  const { factors, ranks } = train;
  const { maxRanks, epsilon } = checkTruncation(truncation, factors.length - 1);
  const exponents = factors.map((factor) => extremeExponent(factor));
  for (const [k, factor] of factors.entries()) scaleByPower(factor, -exponents[k]);
  orthogonalizeRight(train, 0);
  const norm = Math.sqrt(dot(factors[0], 0, factors[0], 0, factors[0].length));
  const allowedSquares = (Math.max(epsilon / Math.sqrt(factors.length - 1), NOISE) * norm) ** 2;
  let droppedSquares = 0;
  for (let k = 0; k + 1 < factors.length; k++) {
    const [columns, next] = [ranks[k + 1], factors[k + 1]];
    const split = splitBond(factors[k], factors[k].length / columns, columns, allowedSquares, maxRanks[k]);
    factors[k] = split.factor;
    factors[k + 1] = multiply(split.rest, next, split.rank, columns, next.length / columns);
    ranks[k + 1] = split.rank;
    droppedSquares += split.droppedSquares;
  }
  spreadPower(
    factors,
    exponents.reduce((a, b) => a + b, 0),
  );
  const rounded = toTT(tt.shape, train);
  if (rounded.cores.some((core) => !core.every(Number.isFinite))) {
    throw new TtError("E_NONFINITE", "the table that the cores stand for is beyond float32");
  }
  return { ...rounded, relativeError: norm === 0 ? 0 : Math.sqrt(droppedSquares) / norm };
}
