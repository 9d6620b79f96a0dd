import type { Parameter, Runtime, UpdateRule } from "@tt-rec/tensor";
import type { BagBatch } from "./batch.ts";
import type { SliceGradient } from "./embedding-bag.ts";
import type { LaidRows } from "./int8-rows.ts";
import type { Lookup } from "./lookup/lookup.ts";
import type { OverlaidLookup } from "./lookup/overlay.ts";
import type { Phases } from "./phases.ts";
import { referenceOverlaidBatch } from "./reference/overlaid-batch.ts";
import { referenceTTBatch } from "./reference/tt-batch.ts";
import type { TTCores } from "./tt-cores.ts";
import { applyParts } from "./wasm/apply.ts";
import { updateInt8 } from "./wasm/int8-batch.ts";
import { bagKernels } from "./wasm/kernels.ts";
import { WasmOverlaidBatch } from "./wasm/overlaid-batch.ts";
import { WasmTTBatch } from "./wasm/tt-batch.ts";
import { canPlan } from "./wasm/tt-plan.ts";

/** Makes batches on the runtime's backend. Sort keys of the wasm kernels have 32 bits; the few tables beyond are left to the reference. */
export function ttBatch(runtime: Runtime, cores: TTCores, lookup: Lookup, training: boolean): BagBatch {
  if (runtime.backend === "wasm" && canPlan(cores.shape)) return new WasmTTBatch(runtime, cores, lookup, training);
  return referenceTTBatch(runtime, cores, lookup);
}

/** As `ttBatch`, for a table over which other rows are laid. */
export function overlaidBatch(
  runtime: Runtime,
  cores: TTCores,
  laid: LaidRows,
  lookup: OverlaidLookup,
  training: boolean,
): BagBatch {
  if (runtime.backend === "wasm" && canPlan(cores.shape)) return new WasmOverlaidBatch(runtime, cores, laid, lookup, training);
  return referenceOverlaidBatch(runtime, cores, laid, lookup);
}

/** Updates cores from their stacked gradients, on the runtime's backend. */
export function* applyCores(
  runtime: Runtime,
  cores: TTCores,
  parts: readonly (readonly [Parameter, SliceGradient])[],
  rule: UpdateRule,
): Phases<void> {
  cores.version++;
  if (runtime.backend === "wasm") yield* applyParts(runtime, bagKernels(runtime.host), parts, rule);
  else for (const [parameter, { slices, values }] of parts) parameter.updateSlices(rule, slices, values);
}

/** Updates rows laid over a table from their stacked gradients, on the runtime's backend. */
export function* applyLaid(runtime: Runtime, laid: LaidRows, part: SliceGradient, rule: UpdateRule): Phases<void> {
  if (runtime.backend !== "wasm") laid.updateSlices(rule, part.slices, part.values);
  else if ("weights" in laid) yield* applyParts(runtime, bagKernels(runtime.host), [[laid, part]], rule);
  else yield* updateInt8(runtime, laid, part, rule);
}
