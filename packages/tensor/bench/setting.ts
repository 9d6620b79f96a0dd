import "@tt-rec/testing/relaxed-simd";
import { createRng, Runtime, type Tensor } from "@tt-rec/tensor";

const rng = createRng(1);

/** The engine that is measured: the best one here, on one thread. */
export const runtime: Runtime = await Runtime.create();

/** The same in the build without fused multiply-add, whose bits are the same on every machine. */
export const plainRuntime: Runtime = await Runtime.create({ simd: "simd" });

/** The best engine on two threads. */
export const twoThreads: Runtime = await Runtime.create({ threads: 2 });

/** Plain TypeScript. */
export const reference: Runtime = await Runtime.create({ backend: "reference" });

/** A tensor of `owner` with normally distributed elements. */
export function normal(owner: Runtime, shape: readonly number[]): Tensor {
  const tensor = owner.tensor(shape);
  const { data } = tensor;
  for (let i = 0; i < data.length; i++) data[i] = rng.normal();
  return tensor;
}

/** Widths of DLRM's MLPs for Kaggle: inputs and outputs of each layer, bottom and top. */
export const MLP_LAYERS: readonly (readonly [number, number])[] = [
  [13, 512],
  [512, 256],
  [256, 64],
  [64, 16],
  [367, 512],
  [512, 256],
  [256, 1],
];
