import type { GpuArray } from "./gpu-array.ts";
import type { GpuDevice } from "./gpu-device.ts";
import type { GpuKernel } from "./gpu-kernel.ts";

/** The kernels that one owner has acquired from a device, and gives up together. */
export class KernelSet {
  /** Where they run. */
  readonly device: GpuDevice;
  readonly #kernels = new Map<string, GpuKernel>();

  constructor(device: GpuDevice) {
    this.device = device;
  }

  /** Calls the kernel of a source text for `rows` rows, or what the device rounds them up to. */
  run(source: string, columns: number, rows: number, args: readonly (GpuArray | number)[]): Promise<GpuArray> {
    let kernel = this.#kernels.get(source);
    if (kernel === undefined) {
      kernel = this.device.acquire(source);
      this.#kernels.set(source, kernel);
    }
    return kernel.run(columns, this.device.rows(rows), args);
  }

  /** Gives up all kernels. */
  dispose(): void {
    for (const source of this.#kernels.keys()) this.device.release(source);
    this.#kernels.clear();
  }
}
