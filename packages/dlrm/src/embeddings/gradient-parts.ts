import type { SliceGradients } from "@tt-rec/tt-kernels";

/** The gradients of two bags that one is composed of: those whose parameters a predicate accepts, and the others. */
export function splitParts(
  { parts, sumOfSquares }: SliceGradients,
  accepts: (parameter: string) => boolean,
): [SliceGradients, SliceGradients] {
  return [
    { sumOfSquares, parts: parts.filter(({ parameter }) => accepts(parameter)) },
    { sumOfSquares, parts: parts.filter(({ parameter }) => !accepts(parameter)) },
  ];
}
