import type { TTTableMaker } from "@tt-rec/dlrm";
import type { ModelMachineSettings } from "../options/machine-options.ts";
import type { Reporter } from "../output/reporter.ts";

/** Opens a device of gpu.js, says which adapter it uses, lends it to `use`, and closes it, however that ends. */
export async function withGpu<T>(
  mode: ModelMachineSettings["gpuMode"],
  reporter: Reporter,
  use: (tables: TTTableMaker) => Promise<T>,
): Promise<T> {
  // Here, because gpu.js need not be installed.
  const { GpuDevice, GpuTTEmbeddingBag } = await import("@tt-rec/tt-kernels/gpu");
  const device = await GpuDevice.open({ mode });
  try {
    const { adapter, software } = device;
    reporter.line(`TT tables on gpu.js, mode ${device.mode}: ${adapter}`);
    reporter.event("gpu", { mode: device.mode, adapter, software });
    if (software) {
      reporter.warning("that is no GPU: the TT tables compute more slowly than with --backend wasm", {
        mode: device.mode,
        adapter,
      });
    }
    return await use({
      engine: `gpu-${device.mode}`,
      make: (runtime, options) => new GpuTTEmbeddingBag(runtime, device, options),
    });
  } finally {
    await device.close();
  }
}
