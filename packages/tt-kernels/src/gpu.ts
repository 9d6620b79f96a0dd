export { type BatchedGemm, type BatchedGemmExtents, type BatchedGemmGradients, batchedGemm } from "./gpu/batched-gemm.ts";
export { GpuDenseEmbeddingBag, type GpuDenseEmbeddingBagOptions } from "./gpu/gpu-dense-embedding-bag.ts";
export { GpuDevice, type GpuDeviceOptions, type GpuTraffic } from "./gpu/gpu-device.ts";
export { GpuTTEmbeddingBag, type GpuTTEmbeddingBagOptions } from "./gpu/gpu-tt-embedding-bag.ts";
export { GPU_MODES, type GpuLimits, type GpuMode } from "./gpu/modes.ts";
