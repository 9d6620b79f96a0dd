import { TtError } from "@tt-rec/tensor";
import type { GpuDevice } from "./gpu-device.ts";
import { KernelSet } from "./kernel-set.ts";
import { batchedGemmSource } from "./kernel-sources.ts";

/** Extents of a batch of products. */
export interface BatchedGemmExtents {
  /** Rows of a[b] and of the product. */
  readonly m: number;
  /** Columns of b[b] and of the product. */
  readonly n: number;
  /** Columns of a[b] and rows of b[b], which are summed over. */
  readonly k: number;
}

/** Gradients of the two factors. */
export interface BatchedGemmGradients {
  /** Of a [batch, m, k]. */
  readonly a: Float32Array;
  /** Of b [batch, k, n]. */
  readonly b: Float32Array;
}

/** Products of matrices of one size, a batch at a time. */
export interface BatchedGemm {
  /** a [batch, m, k] · b [batch, k, n] → [batch, m, n], all row-major. Throws `E_SHAPE` if sizes do not fit, `E_GPU` if the device does not take them. */
  forward(a: Float32Array, b: Float32Array): Promise<Float32Array>;
  /** Gradients of a and b from that of the product: gradient · bᵀ and aᵀ · gradient. Throws as `forward` does. */
  backward(a: Float32Array, b: Float32Array, gradient: Float32Array): Promise<BatchedGemmGradients>;
  /** Frees the kernels. */
  dispose(): void;
}

/** Compiles batched matrix products for a device, for batches of any size. Throws `E_OPTION` on a bad extent. */
export function batchedGemm(device: GpuDevice, { m, n, k }: BatchedGemmExtents): BatchedGemm {
  for (const [name, extent] of Object.entries({ m, n, k })) {
    if (!(Number.isSafeInteger(extent) && extent >= 1)) {
      throw new TtError("E_OPTION", `${name} = ${extent} is not a whole number of at least 1`);
    }
  }
  const kernels = new KernelSet(device);
  const batchOf = (arrays: readonly (readonly [string, Float32Array, number])[]): number => {
    const [[, { length }, size]] = arrays;
    const batch = Math.floor(length / size);
    for (const [name, values, each] of arrays) {
      if (values.length !== batch * each) {
        throw new TtError("E_SHAPE", `${name} has ${values.length} elements, a batch of ${batch} needs ${batch * each}`);
      }
      device.check(name, each, batch);
    }
    return batch;
  };
  const multiply = async (
    layout: "NN" | "NT" | "TN",
    [rows, columns, depth]: readonly [number, number, number],
    left: readonly [Float32Array, number],
    right: readonly [Float32Array, number],
    batch: number,
  ): Promise<Float32Array> => {
    if (batch === 0) return new Float32Array(0);
    const [a, b] = [await device.upload(...left), await device.upload(...right)];
    const product = await kernels.run(batchedGemmSource(columns, depth, rows, layout), rows * columns, batch, [a, b]);
    const values = await device.download(product, batch);
    for (const array of [a, b, product]) array.delete();
    return values;
  };
  return {
    async forward(a, b) {
      const batch = batchOf([
        ["a", a, m * k],
        ["b", b, k * n],
      ]);
      return multiply("NN", [m, n, k], [a, m * k], [b, k * n], batch);
    },
    async backward(a, b, gradient) {
      const batch = batchOf([
        ["a", a, m * k],
        ["b", b, k * n],
        ["the gradient", gradient, m * n],
      ]);
      return {
        a: await multiply("NT", [m, k, n], [gradient, m * n], [b, k * n], batch),
        b: await multiply("TN", [k, n, m], [a, m * k], [gradient, m * n], batch),
      };
    },
    dispose: () => kernels.dispose(),
  };
}
