import type { Parameter, Runtime, Tensor, UpdateRule } from "@tt-rec/tensor";
import type { BagBatch } from "../batch.ts";
import type { SliceGradients } from "../embedding-bag.ts";
import type { Lookup } from "../lookup/lookup.ts";
import { groupRows, type RowGroups } from "../lookup/row-groups.ts";
import { bundleGradients } from "../slice-gradients.ts";
import { poolBackward, poolForward, weightsBackward } from "./pool.ts";
import { withoutPhases } from "./without-phases.ts";

/** A batch of an uncompressed table in plain TypeScript: the oracle of the kernels. */
export function referenceDenseBatch(runtime: Runtime, table: Parameter, lookup: Lookup): BagBatch {
  const dim = table.sliceSize;
  let groups: RowGroups | undefined;
  const grouped = (): RowGroups => {
    groups ??= groupRows(lookup.rows);
    return groups;
  };
  const backward = (gradient: Tensor): SliceGradients => {
    const { uniqueRows } = grouped();
    const values = runtime.scratch([uniqueRows.length, dim]);
    poolBackward(lookup, grouped(), gradient.data, dim, values.data);
    let weights: Tensor | undefined;
    if (lookup.weightFactors !== undefined) {
      weights = runtime.scratch([lookup.rows.length]);
      weightsBackward(lookup, lookup.weightFactors, lookup.rows, table.weights.data, gradient.data, dim, weights.data);
    }
    return bundleGradients([{ parameter: table.name, slices: uniqueRows, values }], weights);
  };
  const forward = (): Tensor => {
    const out = runtime.scratch([lookup.outputs, dim]);
    poolForward(lookup, lookup.rows, table.weights.data, dim, out.data);
    return out;
  };
  const apply = ({ parts: [{ slices, values }] }: SliceGradients, rule: UpdateRule): void =>
    table.updateSlices(rule, slices, values);
  return withoutPhases(() => grouped().uniqueRows.length, { forward, backward, apply });
}
