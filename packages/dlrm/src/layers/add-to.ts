import type { DenseKernels, Tensor } from "@tt-rec/tensor";

/** `target += factor · source`, by the kernel of plain descent. */
export function addTo(kernels: DenseKernels, target: Tensor, source: Tensor, factor = 1): Promise<void> {
  return kernels.update({ kind: "sgd", learningRate: 1, scale: -factor }, [{ weights: target, gradient: source }]);
}
