import type { Kernel, KernelHost, KernelModule, Task } from "../engine/kernel-host.ts";
import { TtError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";

/** How long a thread works on what it takes at a time: long against taking it, short against a call. */
const CHUNK_NANOSECONDS = 15_000;

/** Names of the kernels of `assembly/index.ts`. */
const NAMES = [
  "adagrad",
  "adam",
  "biasRelu",
  "biasReluBackward",
  "columnCombinations",
  "dotInteraction",
  "dotInteractionBackward",
  "joinColumns",
  "momentum",
  "multiplyAdd",
  "packColumns",
  "packRows",
  "product",
  "rowDots",
  "rowWiseAdagrad",
  "sgd",
  "splitColumns",
  "sumOfSquares",
  "transpose",
] as const;

/** Numbers of the dense kernels, by name. */
export type KernelNumbers = Readonly<Record<(typeof NAMES)[number], Kernel>>;

/** Loads the dense kernels. */
export function loadKernels(host: KernelHost, module: KernelModule): KernelNumbers {
  const loaded = host.load(module);
  return Object.fromEntries(NAMES.map((name) => [name, loaded.get(name)])) as KernelNumbers;
}

/** A call of a kernel that takes `nanoseconds` a unit, roughly, on one thread. */
export function taskOf(kernel: Kernel, args: number, units: number, nanoseconds: number): Task {
  return { kernel, args, units, grain: Math.max(1, Math.ceil(CHUNK_NANOSECONDS / Math.max(1, nanoseconds))) };
}

/** Offset of a tensor on the heap of `host`. Throws `E_DISPOSED` at its end of life, `E_OPTION` if it lives elsewhere. */
export function offsetOf(host: KernelHost, tensor: Tensor): number {
  const { byteOffset } = tensor.data;
  if (tensor.memory !== host.memory) {
    throw new TtError(
      "E_OPTION",
      `the tensor of shape [${tensor.shape}] is not on this runtime's heap, where dense kernels work`,
    );
  }
  return byteOffset;
}
