import type { Parameter, Runtime, Tensor, UpdateRule } from "@tt-rec/tensor";
import type { DenseBatch } from "../dense-engine.ts";
import type { SliceGradients } from "../embedding-bag.ts";
import type { Lookup } from "../lookup/lookup.ts";
import { bundleGradients } from "../slice-gradients.ts";
import { poolBackward, poolForward, weightsBackward } from "./pool.ts";
import { groupRows, type RowGroups } from "./row-groups.ts";

/** A batch of an uncompressed table in plain TypeScript: the oracle of the kernels. */
export function referenceDenseBatch(runtime: Runtime, table: Parameter, lookup: Lookup): DenseBatch {
  const dim = table.sliceSize;
  let groups: RowGroups | undefined;
  const grouped = (): RowGroups => {
    groups ??= groupRows(lookup.rows);
    return groups;
  };
  const backward = async (gradient: Tensor): Promise<SliceGradients> => {
    const { uniqueRows } = grouped();
    const values = runtime.scratch([uniqueRows.length, dim]);
    poolBackward(lookup, grouped(), gradient.data, dim, values.data);
    let weights: Tensor | undefined;
    if (lookup.weightFactors !== undefined) {
      weights = runtime.scratch([lookup.rows.length]);
      weightsBackward(lookup, lookup.weightFactors, lookup.rows, table.weights.data, gradient.data, dim, weights.data);
    }
    return bundleGradients(runtime, [{ parameter: table.name, slices: uniqueRows, values }], weights);
  };
  return {
    get uniqueRows() {
      return grouped().uniqueRows.length;
    },
    async forward() {
      const out = runtime.scratch([lookup.outputs, dim]);
      poolForward(lookup, lookup.rows, table.weights.data, dim, out.data);
      return out;
    },
    backward,
    async step(gradient: Tensor, rule: UpdateRule) {
      const [{ slices, values }] = (await backward(gradient)).parts;
      table.updateSlices(rule, slices, values);
    },
  };
}
