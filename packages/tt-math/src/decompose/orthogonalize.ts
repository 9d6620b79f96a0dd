import { TtError } from "@tt-rec/tensor";
import { multiply } from "../linear-algebra/products.ts";
import { qr, transpose } from "../linear-algebra/qr.ts";
import { coreShape, createTTShape, type TTShape } from "../shape/tt-shape.ts";
import { checkCores, type TTCores } from "../tt-cores.ts";
import { toCores, toFactor } from "./factors.ts";

/** A train in float64, rank first: what the algorithms work on. */
export interface Train {
  /** Factor k, row-major [r_k, p_k·q_k, r_(k+1)]. */
  readonly factors: Float64Array[];
  /** TT-ranks in full form. */
  readonly ranks: number[];
}

/**
 * Rewrites cores so that those before `center` have orthonormal columns as [r·p·q, r'] matrices and those behind it
 * orthonormal rows as [r, p·q·r']; the table stays the same, and its norm is that of the center core.
 *
 * Ranks that a bond cannot use are dropped. The padding rows are part of the norm. `center` is a core's number from 0,
 * default the last.
 *
 * Throws E_SHAPE for cores that do not fit their shape, E_OPTION for a center that there is not, E_NONFINITE for NaN or
 * infinity in a core.
 */
export function orthogonalize(tt: TTCores, center: number = tt.cores.length - 1): TTCores {
  const train = toTrain(tt);
  if (!Number.isInteger(center) || center < 0 || center >= train.factors.length) {
    throw new TtError("E_OPTION", `center = ${center} is not an integer from 0 to ${train.factors.length - 1}`);
  }
  orthogonalizeLeft(train, center);
  orthogonalizeRight(train, center);
  return toTT(tt.shape, train);
}

/** The train of checked cores. */
export function toTrain(tt: TTCores): Train {
  checkCores(tt);
  for (const [k, core] of tt.cores.entries()) {
    const at = core.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) throw new TtError("E_NONFINITE", `cores[${k}][${at}] = ${core[at]} is not finite`);
  }
  return { factors: tt.cores.map((core, k) => toFactor(core, coreShape(tt.shape, k))), ranks: [...tt.shape.ranks] };
}

/** The cores of a train for a table whose factors are those of `shape`. */
export function toTT(shape: TTShape, { factors, ranks }: Train): TTCores {
  const found = createTTShape({ ...shape, ranks: ranks.slice(1, -1) });
  return { shape: found, cores: toCores(found, factors) };
}

/** Gives the factors before `center` orthonormal columns. */
function orthogonalizeLeft({ factors, ranks }: Train, center: number): void {
  for (let k = 0; k < center; k++) {
    const { q, r, size } = qr(factors[k], factors[k].length / ranks[k + 1], ranks[k + 1]);
    factors[k] = q;
    factors[k + 1] = multiply(r, factors[k + 1], size, ranks[k + 1], factors[k + 1].length / ranks[k + 1]);
    ranks[k + 1] = size;
  }
}

/** Gives the factors behind `center` orthonormal rows. */
export function orthogonalizeRight({ factors, ranks }: Train, center: number): void {
  for (let k = factors.length - 1; k > center; k--) {
    const columns = factors[k].length / ranks[k];
    const { q, r, size } = qr(transpose(factors[k], ranks[k], columns), columns, ranks[k]);
    factors[k] = transpose(q, columns, size);
    const rows = factors[k - 1].length / ranks[k];
    factors[k - 1] = multiply(factors[k - 1], transpose(r, size, ranks[k]), rows, ranks[k], size);
    ranks[k] = size;
  }
}
