import type { Tensor } from "@tt-rec/tensor";
import type { SliceGradient, SliceGradients } from "../embedding-bag.ts";

/** Bundles the gradients of a bag and measures them. */
export function bundleGradients(parts: readonly SliceGradient[], weights: Tensor | undefined): SliceGradients {
  let sumOfSquares = 0;
  for (const { values } of parts) {
    const data = values.data;
    for (let i = 0; i < data.length; i++) sumOfSquares += data[i] * data[i];
  }
  return { parts, sumOfSquares, ...(weights && { weights }) };
}
