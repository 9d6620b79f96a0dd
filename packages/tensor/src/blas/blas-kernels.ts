import { gemmExtents } from "../dense/check.ts";
import type { DenseKernels } from "../dense/kernels.ts";
import type { KernelHost } from "../engine/kernel-host.ts";
import type { Blas } from "./blas.ts";

/**
 * Fewest products m·n·k, and smallest extent, from which OpenBLAS is ahead of 50 GFLOP/s, the rate of the wasm kernels on
 * one thread. A call costs 0.3 µs, and thin operands are packed at the price of the product.
 */
const [PRODUCTS, EXTENT] = [1 << 16, 8];

/**
 * The kernels with their large products done by `blas`, on as many threads of its own as the host has; other calls and small
 * products pass through.
 */
export function withBlas(kernels: DenseKernels, blas: Blas, host: Pick<KernelHost, "threads" | "park">): DenseKernels {
  return {
    ...kernels,
    engine: `${kernels.engine}+${blas.name}`,
    async gemm(layout, a, b, out, options = {}) {
      const { bias, relu = false } = options;
      const { m, n, k } = gemmExtents(layout, a, b, out, bias);
      if (m * n * k < PRODUCTS || Math.min(m, n, k) < EXTENT) return kernels.gemm(layout, a, b, out, options);
      // All operands are read first: a disposed one throws before the result is touched.
      const [left, right, result] = [a, b, out, ...(bias === undefined ? [] : [bias])].map(({ data }) => data);
      // The number is the process's: another runtime may have set its own since the last call.
      blas.setThreads(host.threads);
      // A worker that spins would take a core from the library: 0.41 ms in place of 0.27 for 128 × 512 × 367 on two threads.
      host.park();
      blas.sgemm(layout, m, n, k, left, right, result);
      if (bias !== undefined || relu) await kernels.biasRelu(out, options);
    },
  };
}
