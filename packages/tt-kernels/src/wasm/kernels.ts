import type { Kernel, KernelHost } from "@tt-rec/tensor";
import { ttKernelsModule } from "../generated/tt-kernels-module.ts";

const NAMES = [
  "applySlices",
  "backwardNodes",
  "backwardRows",
  "computeRows",
  "dequantizeRows",
  "expandOffsets",
  "extendNodes",
  "finishSums",
  "gatherGradients",
  "innerGradient",
  "overlaidWeightGradients",
  "planDense",
  "planTT",
  "poolOverlaid",
  "poolRows",
  "scaleSlices",
  "stepRows",
  "sumChildren",
  "sumFirst",
  "sumLast",
  "sumOfSquares",
  "transposeSlices",
  "updateInt8Rows",
  "weightGradients",
] as const;

/** The kernels of embedding bags, by name. */
export type BagKernels = { readonly [name in (typeof NAMES)[number]]: Kernel };

const loadedKernels = new WeakMap<KernelHost, BagKernels>();

/** Loads the kernels into a memory, once. */
export function bagKernels(host: KernelHost): BagKernels {
  let kernels = loadedKernels.get(host);
  if (kernels === undefined) {
    const loaded = host.load(ttKernelsModule);
    kernels = Object.fromEntries(NAMES.map((name) => [name, loaded.get(name)])) as BagKernels;
    loadedKernels.set(host, kernels);
  }
  return kernels;
}
