import type { Parameter, Runtime, Tensor, UpdateRule } from "@tt-rec/tensor";
import type { SliceGradient, SliceGradients } from "./embedding-bag.ts";
import type { Lookup } from "./lookup/lookup.ts";
import { referenceDenseBatch } from "./reference/dense-batch.ts";
import { applyToTable } from "./wasm/apply.ts";
import { WasmDenseBatch } from "./wasm/dense-batch.ts";

/** The work of one batch on an uncompressed table; the plan of a bag hides one. */
export interface DenseBatch {
  /** Distinct rows of the batch. */
  readonly uniqueRows: number;
  /** Looks up and pools: [outputs, D]. */
  forward(): Promise<Tensor>;
  /** Gradients of rows and weights. */
  backward(gradient: Tensor): Promise<SliceGradients>;
  /** Gradients and update in one. */
  step(gradient: Tensor, rule: UpdateRule): Promise<void>;
}

/** Makes batches on the runtime's backend; a table too large for any WebAssembly memory is left to the reference. */
export function denseBatch(runtime: Runtime, table: Parameter, lookup: Lookup): DenseBatch {
  const host = runtime.backend === "wasm" ? runtime.hostOf(table.weights) : undefined;
  return host === undefined ? referenceDenseBatch(runtime, table, lookup) : new WasmDenseBatch(runtime, table, host, lookup);
}

/** Updates rows of a table from their stacked gradients, on the runtime's backend. */
export async function applyRows(runtime: Runtime, table: Parameter, part: SliceGradient, rule: UpdateRule): Promise<void> {
  const host = runtime.backend === "wasm" ? runtime.hostOf(table.weights) : undefined;
  if (host === undefined) table.updateSlices(rule, part.slices, part.values);
  else await applyToTable(runtime, { parameter: table, host }, part, rule);
}
