import type { Parameter, Runtime, UpdateRule } from "@tt-rec/tensor";
import type { BagBatch } from "./batch.ts";
import type { SliceGradient } from "./embedding-bag.ts";
import type { Lookup } from "./lookup/lookup.ts";
import type { Phases } from "./phases.ts";
import { referenceDenseBatch } from "./reference/dense-batch.ts";
import { applyToTable } from "./wasm/apply.ts";
import { WasmDenseBatch } from "./wasm/dense-batch.ts";

/** Makes batches on the runtime's backend; a table too large for any WebAssembly memory is left to the reference. */
export function denseBatch(runtime: Runtime, table: Parameter, lookup: Lookup): BagBatch {
  const host = runtime.backend === "wasm" ? runtime.hostOf(table.weights) : undefined;
  return host === undefined ? referenceDenseBatch(runtime, table, lookup) : new WasmDenseBatch(runtime, table, host, lookup);
}

/** Updates rows of a table from their stacked gradients, on the runtime's backend. */
export function* applyRows(runtime: Runtime, table: Parameter, part: SliceGradient, rule: UpdateRule): Phases<void> {
  const onKernels = runtime.backend === "wasm" && runtime.hostOf(table.weights) !== undefined;
  if (onKernels) yield* applyToTable(runtime, table, part, rule);
  else table.updateSlices(rule, part.slices, part.values);
}
