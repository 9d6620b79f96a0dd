import { TtError } from "@tt-rec/tensor";
import type { Batch } from "./batch.ts";
import type { DlrmConfig } from "./dlrm-config.ts";

/** Throws `E_SHAPE` if a batch does not have the parts that a model needs; the tables check the ids themselves. */
export function checkBatch({ size, labels, dense, bags }: Batch, { denseFeatures, tables }: DlrmConfig): void {
  if (labels.length !== size) throw new TtError("E_SHAPE", `the batch has ${labels.length} labels for ${size} samples`);
  if (dense.length !== size * denseFeatures) {
    throw new TtError("E_SHAPE", `the batch has ${dense.length} dense values for ${size} samples of ${denseFeatures} features`);
  }
  if (bags.length !== tables.length)
    throw new TtError("E_SHAPE", `the batch has ids for ${bags.length} tables, the model ${tables.length} tables`);
  for (const [t, { indices, offsets }] of bags.entries()) {
    const count = offsets === undefined ? indices.length : offsets.length - 1;
    if (count !== size)
      throw new TtError("E_SHAPE", `table ${tables[t].name} has ${count} bags for ${size} samples`, { tensor: tables[t].name });
  }
}
