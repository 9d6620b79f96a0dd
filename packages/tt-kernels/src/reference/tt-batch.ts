import type { Runtime, Tensor, UpdateRule } from "@tt-rec/tensor";
import type { BagBatch } from "../batch.ts";
import type { SliceGradient, SliceGradients } from "../embedding-bag.ts";
import type { Lookup } from "../lookup/lookup.ts";
import { buildPrefixTree } from "../lookup/prefix-tree.ts";
import { groupRows } from "../lookup/row-groups.ts";
import { bundleGradients } from "../slice-gradients.ts";
import type { TTCores } from "../tt-cores.ts";
import { backwardLevel, forwardLevel, nodeSize } from "./chain.ts";
import { poolBackward, poolForward, weightsBackward } from "./pool.ts";
import { withoutPhases } from "./without-phases.ts";

/** A batch in plain TypeScript: the oracle of the kernels. */
export function referenceTTBatch(runtime: Runtime, cores: TTCores, lookup: Lookup): BagBatch {
  const { extents, parameters, shape } = cores;
  const dim = shape.embeddingDim;
  const groups = groupRows(lookup.rows);
  const levels = buildPrefixTree(groups.uniqueRows, shape.rowShape);
  /** Products of each level from the last forward pass, kept for the backward pass of the same step. */
  let known: { readonly tensors: readonly Tensor[]; readonly version: number } | undefined;

  /** The products of every level, from the forward pass of this step if the cores have not changed since. */
  const computeProducts = (): readonly Tensor[] => {
    if (known?.version === cores.version && !known.tensors[0].disposed) return known.tensors;
    const tensors: Tensor[] = [];
    for (const [k, level] of levels.entries()) {
      const out = runtime.scratch([level.count, nodeSize(extents, k)]);
      forwardLevel(k, extents, level, parameters[k].weights.data, tensors[k - 1]?.data, out.data);
      tensors.push(out);
    }
    known = { tensors, version: cores.version };
    return tensors;
  };

  const backward = (gradient: Tensor): SliceGradients => {
    const products = computeProducts();
    const rows = products[products.length - 1];
    let weights: Tensor | undefined;
    if (lookup.weightFactors !== undefined) {
      weights = runtime.scratch([lookup.rows.length]);
      weightsBackward(lookup, lookup.weightFactors, groups.groupOf, rows.data, gradient.data, dim, weights.data);
    }
    const parts: SliceGradient[] = [];
    let nodeGradients = runtime.scratch(rows.shape);
    poolBackward(lookup, groups, gradient.data, dim, nodeGradients.data);
    for (let k = levels.length - 1; k >= 0; k--) {
      const core = parameters[k];
      const values = runtime.scratch([levels[k].touched.length, core.sliceSize]);
      const above = k > 0 ? runtime.scratch(products[k - 1].shape) : undefined;
      const parent = above && { products: products[k - 1].data, gradients: above.data };
      backwardLevel(k, extents, levels[k], core.weights.data, nodeGradients.data, values.data, parent);
      parts.unshift({ parameter: core.name, slices: levels[k].touched, values });
      if (above !== undefined) nodeGradients = above;
    }
    return bundleGradients(parts, weights);
  };

  const apply = ({ parts }: SliceGradients, rule: UpdateRule): void => {
    cores.version++;
    for (const [k, { slices, values }] of parts.entries()) parameters[k].updateSlices(rule, slices, values);
  };

  const forward = (): Tensor => {
    const products = computeProducts();
    const out = runtime.scratch([lookup.outputs, dim]);
    poolForward(lookup, groups.groupOf, products[products.length - 1].data, dim, out.data);
    return out;
  };

  return withoutPhases(() => groups.uniqueRows.length, { forward, backward, apply });
}
