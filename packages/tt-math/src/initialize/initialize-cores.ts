import { type Rng, TtError } from "@tt-rec/tensor";
import { coreShape, type TTShape } from "../shape/tt-shape.ts";
import { approxUniformCores } from "./approx-uniform.ts";
import { tailNormal, tailSecondMoment } from "./tail-normal.ts";

/** How cores get their first values. */
export type Initializer = SampledGaussianInitializer | PlainInitializer;

/**
 * Sampled Gaussian (TT-Rec, MLSys 2021): the normal distribution without the part |x| < 2, so that products of entries do
 * not pile up at zero.
 */
export interface SampledGaussianInitializer {
  /** Names the family. */
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
 * The distributions that the paper compares with; entries of the table have the standard deviation σ for every d and ranks.
 *
 * `gaussian` and `uniform` draw the entries of the cores from N(0, s²) or U(−√3·s, √3·s). `approx-uniform` gives cores
 * whose products are close to uniform in (−√3·σ, √3·σ): with the default σ in (−1/√n, 1/√n), as an uncompressed table.
 */
export interface PlainInitializer {
  /** Names the family. */
  readonly kind: "gaussian" | "uniform" | "approx-uniform";
  /** Target σ of the table's entries. Default 1/√(3n), that of DLRM's U(−1/√n, 1/√n). */
  readonly standardDeviation?: number;
}

/**
 * Draws the cores of a table; core k is row-major `[p_k, r_k, q_k, r_(k+1)]`. One rng draws all cores in order.
 *
 * Throws E_OPTION when the standard deviation is not a positive number.
 */
export function initializeCores(shape: TTShape, rng: Rng, initializer: Initializer): Float32Array[] {
  const { standardDeviation = 1 / Math.sqrt(3 * shape.numEmbeddings) } = initializer;
  if (!(standardDeviation > 0 && standardDeviation < Number.POSITIVE_INFINITY)) {
    throw new TtError("E_OPTION", `standardDeviation = ${standardDeviation} is not a positive number`);
  }
  if (initializer.kind === "approx-uniform") return approxUniformCores(shape, rng, standardDeviation);
  const draw = entries(shape, rng, initializer, standardDeviation);
  return shape.rowShape.map((_, k) => {
    const core = new Float32Array(coreShape(shape, k).reduce((a, b) => a * b, 1));
    for (let i = 0; i < core.length; i++) core[i] = draw();
    return core;
  });
}

/** The distribution of the cores' entries. */
function entries(shape: TTShape, rng: Rng, initializer: Initializer, standardDeviation: number): () => number {
  const matched = matchedDeviation(shape, standardDeviation);
  switch (initializer.kind) {
    case "gaussian":
      return () => matched * rng.normal();
    case "uniform":
      return () => matched * Math.sqrt(3) * (2 * rng.uniform() - 1);
    default: {
      const compat = initializer.kind === "sampled-gaussian" && initializer.scaling === "compat";
      const scale = compat ? Math.cbrt(standardDeviation) : matched / Math.sqrt(tailSecondMoment);
      return () => scale * tailNormal(rng);
    }
  }
}

/** An entry is a sum of ΠR products of d independent entries of mean 0 and deviation s, so its variance is ΠR·s^(2d). */
function matchedDeviation({ ranks, rowShape }: TTShape, standardDeviation: number): number {
  const paths = ranks.reduce((a, b) => a * b, 1);
  return (standardDeviation / Math.sqrt(paths)) ** (1 / rowShape.length);
}
