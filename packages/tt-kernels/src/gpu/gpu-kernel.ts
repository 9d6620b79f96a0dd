import { TtError } from "@tt-rec/tensor";
import { GpuArray } from "./gpu-array.ts";
import type { GpuJsInstance, GpuJsKernel, GpuJsKernelSettings } from "./gpu-js.ts";
import { type GpuMode, outputExtents, planesOf } from "./modes.ts";

/** Most turns of a loop whose bounds are not constants: gpu.js wants a number, kernels have their own bounds. */
const MAX_TURNS = 2 ** 24;

/** Settings of a kernel whose results stay on the device, or come back. */
export function kernelSettings(mode: GpuMode, download: boolean): GpuJsKernelSettings {
  return {
    output: outputExtents(mode, 1, planesOf(mode, 1)),
    precision: "single",
    tactic: "precision",
    dynamicOutput: true,
    dynamicArguments: true,
    loopMaxIterations: MAX_TURNS,
    pipeline: !download,
    // A result of its own for each call: two batches may be under way, and an update reads what the last one wrote.
    immutable: !download,
    // Reading must not block the page; the modes on the CPU have nothing to wait for.
    asyncMode: download,
  };
}

/** A compiled kernel. Its extents are those of each call, so one serves batches of any size. */
export class GpuKernel {
  readonly #kernel: GpuJsKernel;
  readonly #mode: GpuMode;
  #turn: Promise<unknown> = Promise.resolve();

  /** Prepares a kernel, whose results stay on the device unless `download` is set; gpu.js compiles it at its first call. */
  constructor(gpu: GpuJsInstance, mode: GpuMode, source: string, download: boolean) {
    this.#mode = mode;
    this.#kernel = gpu.createKernel(source, kernelSettings(mode, download));
  }

  /** Calls the kernel for whole planes of rows. Throws `E_GPU` if the device fails. */
  async run(columns: number, rows: number, args: readonly (GpuArray | number)[]): Promise<GpuArray> {
    return new GpuArray(columns, rows, await this.call(columns, rows, args));
  }

  /** Calls the kernel; returns what gpu.js does: a handle, or rows of numbers. */
  call(columns: number, rows: number, args: readonly (GpuArray | number)[]): Promise<unknown> {
    // gpu.js reads the extents only once a kernel is compiled, so a second call must not set others meanwhile.
    const result = this.#turn.then(() => this.#call(columns, rows, args));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Frees the kernel. */
  destroy(): void {
    this.#kernel.destroy();
  }

  async #call(columns: number, rows: number, args: readonly (GpuArray | number)[]): Promise<unknown> {
    let result: unknown;
    try {
      this.#kernel.setOutput(outputExtents(this.#mode, columns, rows));
      result = await this.#kernel(...args.map((arg) => (arg instanceof GpuArray ? arg.value : arg)));
    } catch (cause) {
      throw new TtError("E_GPU", `a kernel failed in mode ${this.#mode}: ${(cause as Error).message}`, {}, { cause });
    }
    const { fallbackReason } = this.#kernel.kernel;
    if (fallbackReason) throw new TtError("E_GPU", `gpu.js left mode ${this.#mode}: ${fallbackReason}`);
    return result;
  }
}
