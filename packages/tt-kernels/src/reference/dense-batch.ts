import type { Runtime, Tensor, UpdateRule } from "@tt-rec/tensor";
import type { BagBatch } from "../batch.ts";
import type { SliceGradients } from "../embedding-bag.ts";
import type { LaidRows } from "../int8-rows.ts";
import type { Lookup } from "../lookup/lookup.ts";
import { groupRows, type RowGroups } from "../lookup/row-groups.ts";
import { bundleGradients } from "../slice-gradients.ts";
import { poolBackward, poolForward, weightsBackward } from "./pool.ts";
import { withoutPhases } from "./without-phases.ts";

/** A batch of an uncompressed table, or of rows laid over another, in plain TypeScript: the oracle of the kernels. */
export function referenceDenseBatch(runtime: Runtime, table: LaidRows, lookup: Lookup): BagBatch {
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
      weightsBackward(lookup, lookup.weightFactors, lookup.rows, floatsOf(table), gradient.data, dim, weights.data);
    }
    return bundleGradients([{ parameter: table.name, slices: uniqueRows, values }], weights);
  };
  const forward = (): Tensor => {
    const out = runtime.scratch([lookup.outputs, dim]);
    poolForward(lookup, lookup.rows, floatsOf(table), dim, out.data);
    return out;
  };
  const apply = ({ parts: [{ slices, values }] }: SliceGradients, rule: UpdateRule): void =>
    table.updateSlices(rule, slices, values);
  return withoutPhases(() => grouped().uniqueRows.length, { forward, backward, apply });
}

function floatsOf(table: LaidRows): Float32Array {
  if ("weights" in table) return table.weights.data;
  const [count, dim] = table.shape;
  const floats = new Float32Array(count * dim);
  for (let slot = 0; slot < count; slot++) floats.set(table.readRow(slot), slot * dim);
  return floats;
}
