import { type ParameterLayout, type Tensor, TtError } from "@tt-rec/tensor";
import type { Plan, SliceGradient, SliceGradients } from "./embedding-bag.ts";

/** Pairs each part with the parameter of its name. Throws `E_OPTION` if it has none, `E_SHAPE` if it does not fit. */
export function matchParts<P extends ParameterLayout>(parameters: readonly P[], { parts }: SliceGradients): [P, SliceGradient][] {
  return parts.map((part) => {
    const parameter = parameters.find(({ name }) => name === part.parameter);
    if (parameter === undefined)
      throw new TtError("E_OPTION", `the bag has no parameter "${part.parameter}"; these gradients are another bag's`);
    if (part.values.size !== part.slices.length * parameter.sliceSize) {
      throw new TtError(
        "E_SHAPE",
        `the gradient of "${part.parameter}" has ${part.values.size} elements for ${part.slices.length} slices of ${parameter.sliceSize}`,
      );
    }
    const [last, extent] = [part.slices[part.slices.length - 1] ?? 0, parameter.shape[0]];
    if (last >= extent) {
      throw new TtError("E_SHAPE", `the gradient of "${part.parameter}" has slice ${last}, the parameter ${extent} slices`);
    }
    return [parameter, part];
  });
}

/** Throws `E_SHAPE` unless a gradient has the shape of a plan's output. */
export function checkGradient(plan: Plan, dim: number, gradient: Tensor): void {
  if (gradient.size !== plan.outputs * dim) {
    throw new TtError("E_SHAPE", `the gradient has shape [${gradient.shape}], the output [${plan.outputs},${dim}]`);
  }
}

/** Bundles the gradients of a bag and measures them. */
export function bundleGradients(parts: readonly SliceGradient[], weights: Tensor | undefined): SliceGradients {
  let sumOfSquares = 0;
  for (const { values } of parts) {
    const data = values.data;
    for (let i = 0; i < data.length; i++) sumOfSquares += data[i] * data[i];
  }
  return { parts, sumOfSquares, ...(weights && { weights }) };
}
