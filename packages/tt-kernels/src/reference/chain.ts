import type { PrefixLevel } from "../lookup/prefix-tree.ts";
import { addNN, addNT, addTN } from "./small-gemm.ts";

/** Extents of the products along a train, core by core. */
export interface ChainExtents {
  /** Columns q_0 · … · q_(k−1) of all cores before core k: rows of the matrix that core k extends. */
  readonly left: readonly number[];
  /** Rank r_k on the left of core k: the summed extent. */
  readonly rank: readonly number[];
  /** Columns q_k · r_(k+1) of a slice of core k. */
  readonly right: readonly number[];
}

/** Derives the extents from column shape and ranks (full form). */
export function chainExtents(columnShape: readonly number[], ranks: readonly number[]): ChainExtents {
  const left: number[] = [];
  let product = 1;
  for (const extent of columnShape) {
    left.push(product);
    product *= extent;
  }
  return { left, rank: columnShape.map((_, k) => ranks[k]), right: columnShape.map((extent, k) => extent * ranks[k + 1]) };
}

/** Elements of a node's product at level k. */
export function nodeSize({ left, right }: ChainExtents, k: number): number {
  return left[k] * right[k];
}

/**
 * Extends the products of level k − 1 by core k (paper: tr_k = tr_(k−1)·G_k): `out` [count, left·right] of zeros
 * receives [left, rank]·[rank, right] for each node, slice by slice. At level 0 a product is the slice itself.
 */
export function forwardLevel(
  k: number,
  extents: ChainExtents,
  level: PrefixLevel,
  core: Float32Array,
  parents: Float32Array | undefined,
  out: Float32Array,
): void {
  const [m, r, n] = [extents.left[k], extents.rank[k], extents.right[k]];
  for (let t = 0; t < level.touched.length; t++) {
    const slice = level.touched[t] * r * n;
    for (let i = level.segments[t]; i < level.segments[t + 1]; i++) {
      const node = level.byDigit[i];
      if (parents === undefined) out.set(core.subarray(slice, slice + n), node * n);
      else addNN(parents, level.parents[node] * m * r, core, slice, out, node * m * n, m, n, r);
    }
  }
}

/**
 * Takes the gradients of level k's products one core back. `coreGradients` [touched, rank·right] of zeros receives the
 * sum over nodes of productᵀ·gradient, in node order; `parentGradients` of zeros receives gradient·sliceᵀ, summed over
 * the children of each parent. At level 0 the node's gradient is the slice's.
 */
export function backwardLevel(
  k: number,
  extents: ChainExtents,
  level: PrefixLevel,
  core: Float32Array,
  gradients: Float32Array,
  coreGradients: Float32Array,
  parent: { readonly products: Float32Array; readonly gradients: Float32Array } | undefined,
): void {
  const [m, r, n] = [extents.left[k], extents.rank[k], extents.right[k]];
  for (let t = 0; t < level.touched.length; t++) {
    const slice = level.touched[t] * r * n;
    const sum = t * r * n;
    for (let i = level.segments[t]; i < level.segments[t + 1]; i++) {
      const node = level.byDigit[i];
      const gradient = node * m * n;
      if (parent === undefined) {
        for (let j = 0; j < n; j++) coreGradients[sum + j] += gradients[gradient + j];
      } else {
        const above = level.parents[node] * m * r;
        addTN(parent.products, above, gradients, gradient, coreGradients, sum, r, n, m);
        addNT(gradients, gradient, core, slice, parent.gradients, above, m, r, n);
      }
    }
  }
}
