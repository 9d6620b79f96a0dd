import { type Rng, TtError } from "@tt-rec/tensor";
import { coreShape, type TTShape } from "../shape/tt-shape.ts";
import { tailNormal, tailSecondMoment } from "./tail-normal.ts";

/**
 * How cores get their first values: sampled Gaussian (TT-Rec, MLSys 2021), the normal
 * distribution without the part |x| < 2, so that products of entries do not pile up at zero.
 */
export interface Initializer {
  /** The family of initializers. */
  readonly kind: "sampled-gaussian";
  /**
   * `compat`: every core times σ^(1/3), the reference's numbers, whatever d and the ranks. Neither the ranks nor the second
   * moment of the tails are divided out, so entries of the table have the standard deviation √(ΠR)·5.746431^(d/2)·σ^(d/3):
   * for d = 3 and R = 16 that is 220.4·σ.
   * `variance-matched`: entries of the table have the standard deviation σ for every d and every ranks.
   */
  readonly scaling: "compat" | "variance-matched";
  /** Target σ of the table's entries. Default 1/√(3n), that of DLRM's U(−1/√n, 1/√n). */
  readonly standardDeviation?: number;
}

/**
 * Draws the cores of a table; core k is row-major `[p_k, r_k, q_k, r_(k+1)]`. One rng draws all cores in order.
 *
 * Throws E_OPTION when the standard deviation is not a positive number.
 */
export function initializeCores(shape: TTShape, rng: Rng, initializer: Initializer): Float32Array[] {
  const { scaling, standardDeviation = 1 / Math.sqrt(3 * shape.numEmbeddings) } = initializer;
  if (!(standardDeviation > 0 && standardDeviation < Number.POSITIVE_INFINITY)) {
    throw new TtError("E_OPTION", `standardDeviation = ${standardDeviation} is not a positive number`);
  }
  const d = shape.rowShape.length;
  const scale = scaling === "compat" ? Math.cbrt(standardDeviation) : matchedScale(shape, standardDeviation);
  return Array.from({ length: d }, (_, k) => {
    const core = new Float32Array(coreShape(shape, k).reduce((a, b) => a * b, 1));
    for (let i = 0; i < core.length; i++) core[i] = scale * tailNormal(rng);
    return core;
  });
}

/** An entry is a sum of ΠR products of d independent entries of mean 0, so its variance is ΠR·(s²·E[x²])^d. */
function matchedScale(shape: TTShape, standardDeviation: number): number {
  const d = shape.rowShape.length;
  const paths = shape.ranks.reduce((a, b) => a * b, 1);
  return (standardDeviation / Math.sqrt(paths)) ** (1 / d) / Math.sqrt(tailSecondMoment);
}
