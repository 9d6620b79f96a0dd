import { TtError } from "@tt-rec/tensor";
import { balancedFactors } from "./balanced-factors.ts";
import { entropy } from "./entropy.ts";
import { maxNumEmbeddings } from "./limits.ts";

/** How `suggestShape` may choose. */
export interface SuggestShapeOptions {
  /** Whether the product may exceed the size; `false` asks for an exact factorization. Default true. */
  readonly roundUp?: boolean;
}

/**
 * Suggests `d` factors for a table's side: the results of FBTT-Embedding's `suggested_tt_shapes`, without its search over
 * all multiset partitions.
 *
 * The size and its round-ups to the next multiple of 10, 100, … up to its own power of ten each give their factorization
 * of largest entropy; the one of largest entropy wins, the smallest round-up on ties. So the product may exceed `size`
 * by up to the factor 10, unless `roundUp` is false. The factors are in the reference's order: ascending for d ≤ 3,
 * lower and upper half interleaved for d ≥ 4 (50, 60, 52, 65).
 *
 * Throws E_OPTION when `size` is not an integer from 1 to 2^32 − 1, or `d` is not an integer of at least 2.
 */
export function suggestShape(size: number, d: number, { roundUp = true }: SuggestShapeOptions = {}): number[] {
  if (!Number.isInteger(size) || size < 1 || size > maxNumEmbeddings) {
    throw new TtError("E_OPTION", `size = ${size} is not an integer from 1 to ${maxNumEmbeddings}`);
  }
  if (!Number.isInteger(d) || d < 2) throw new TtError("E_OPTION", `d = ${d} is not an integer of at least 2`);
  let best: number[] = [];
  let bestEntropy = -1;
  const powers = roundUp ? String(size).length : 1;
  for (let power = 0; power < powers; power++) {
    const unit = 10 ** power;
    const shape = interleave(balancedFactors(Math.ceil(size / unit) * unit, d));
    const value = entropy(shape);
    if (value > bestEntropy) {
      best = shape;
      bestEntropy = value;
    }
  }
  return best;
}

/** Takes turns between the lower and the upper half of an ascending list. */
function interleave(ascending: readonly number[]): number[] {
  const half = ascending.length >> 1;
  const order: number[] = [];
  for (let k = 0; k < ascending.length - half; k++) {
    if (k < half) order.push(ascending[k]);
    order.push(ascending[half + k]);
  }
  return order;
}
