import type { Parameter, Runtime, Tensor, UpdateRule } from "@tt-rec/tensor";
import type { SliceGradient, SliceGradients } from "./embedding-bag.ts";
import type { Lookup } from "./lookup/lookup.ts";
import { referenceTTBatch } from "./reference/tt-batch.ts";
import type { TTCores } from "./tt-cores.ts";
import { applyParts } from "./wasm/apply.ts";
import { bagKernels } from "./wasm/kernels.ts";
import { runPhases } from "./wasm/phases.ts";
import { WasmTTBatch } from "./wasm/tt-batch.ts";
import { canPlan } from "./wasm/tt-plan.ts";

/** The work of one batch on a table's cores; the plan of a bag hides one. */
export interface TTBatch {
  /** Distinct rows of the batch. */
  readonly uniqueRows: number;
  /** Looks up and pools: [outputs, D]. */
  forward(): Promise<Tensor>;
  /** Gradients of the cores and weights. */
  backward(gradient: Tensor): Promise<SliceGradients>;
  /** Gradients and update in one. */
  step(gradient: Tensor, rule: UpdateRule): Promise<void>;
}

/** Makes batches on the runtime's backend. Sort keys of the wasm kernels have 32 bits; the few tables beyond are left to the reference. */
export function ttBatch(runtime: Runtime, cores: TTCores, lookup: Lookup, training: boolean): TTBatch {
  if (runtime.backend === "wasm" && canPlan(cores.shape)) return new WasmTTBatch(runtime, cores, lookup, training);
  return referenceTTBatch(runtime, cores, lookup);
}

/** Updates cores from their stacked gradients, on the runtime's backend. */
export async function applyCores(
  runtime: Runtime,
  cores: TTCores,
  parts: readonly (readonly [Parameter, SliceGradient])[],
  rule: UpdateRule,
): Promise<void> {
  cores.version++;
  if (runtime.backend === "wasm") await runPhases(runtime.host, applyParts(runtime, bagKernels(runtime.host), parts, rule));
  else for (const [parameter, { slices, values }] of parts) parameter.updateSlices(rule, slices, values);
}
