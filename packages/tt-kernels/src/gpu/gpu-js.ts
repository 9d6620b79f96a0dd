import { TtError } from "@tt-rec/tensor";

/** A kernel of gpu.js: called with arrays or handles, it returns an array, a handle, or a promise of one. */
export interface GpuJsKernel {
  (...args: readonly unknown[]): unknown;
  setOutput(extents: readonly number[]): unknown;
  destroy(): void;
  /** What really runs; gpu.js replaces it by its cpu kernel, with a reason, where a mode cannot take a kernel. */
  readonly kernel: { readonly fallbackReason?: string | null };
}

/** An instance of gpu.js in one mode. */
export interface GpuJsInstance {
  createKernel(source: string, settings: GpuJsKernelSettings): GpuJsKernel;
  destroy(): Promise<void> | undefined;
}

/** Settings of a kernel in use. */
export interface GpuJsKernelSettings {
  readonly output: readonly number[];
  readonly precision: "single";
  readonly tactic: "precision";
  readonly dynamicOutput: true;
  readonly dynamicArguments: true;
  readonly loopMaxIterations: number;
  readonly pipeline: boolean;
  readonly immutable: boolean;
  readonly asyncMode: boolean;
}

/** The part of gpu.js in use. */
export interface GpuJs {
  readonly GPU: new (settings: { readonly mode: string }) => GpuJsInstance;
  /** A flat array that stands for one of extents [columns, rows]. */
  readonly input: (values: Float32Array, extents: readonly [columns: number, rows: number]) => unknown;
}

/** A result that stays on the device. */
export interface GpuJsHandle {
  delete(): void;
}

/** Loads the optional package gpu.js. Throws `E_NOT_FOUND`, with the line that installs it, if it is missing. */
export async function loadGpuJs(): Promise<GpuJs> {
  try {
    const module = (await import("gpu.js")) as unknown as GpuJs & { readonly default?: GpuJs };
    // The browser's bundle is a script that exports its class, with everything else as properties of it.
    const library = (module.default ?? module) as GpuJs & { readonly GPU?: GpuJs["GPU"] };
    return { GPU: library.GPU ?? (library as unknown as GpuJs["GPU"]), input: library.input };
  } catch (cause) {
    const { code, message } = cause as Error & { readonly code?: string };
    const state = code === "ERR_MODULE_NOT_FOUND" ? "is not installed" : `cannot be loaded (${message})`;
    throw new TtError("E_NOT_FOUND", `the GPU kernels run on gpu.js, which ${state}: npm install gpu.js@2.24.1`, {}, { cause });
  }
}
