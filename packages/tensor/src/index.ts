export type { Blas } from "./blas/blas.ts";
export type { DenseKernels, GemmLayout, GemmOptions, LossOptions, Update } from "./dense/kernels.ts";
export { floatBits, type Kernel, type KernelHost, type KernelModule, type Task, type Workspace } from "./engine/kernel-host.ts";
export type { SimdBuild } from "./engine/kernel-module.ts";
export { ERROR_CODES, type ErrorCode, type ErrorPlace, isTtError, TtError } from "./errors.ts";
export { type CommittedFile, type Directory, type FileContent, type ReadAt, sha256 } from "./files.ts";
export { IdIndex } from "./id-index.ts";
export { memoryDirectory, readBytes } from "./memory-directory.ts";
export { mixBits } from "./mix-bits.ts";
export type { ElementArrays, ElementType, HostTensor, NamedTensors } from "./named-tensors.ts";
export { Parameter, type ParameterOptions } from "./parameter.ts";
export { checkState, ParameterLayout, type StatefulKind, type TensorLayout } from "./parameter-layout.ts";
export { createRng, type Rng } from "./rng.ts";
export { type Backend, Runtime, type RuntimeOptions } from "./runtime.ts";
export {
  readSafetensors,
  readSafetensorsEntry,
  readSafetensorsHeader,
  type Safetensors,
  type SafetensorsEntry,
  type SafetensorsHeader,
} from "./safetensors/read.ts";
export { writeSafetensors } from "./safetensors/write.ts";
export { readSealedJson, type SealedFormat, sealJson } from "./sealed-json.ts";
export { shuffleInPlace } from "./shuffle-in-place.ts";
export { StatefulParameter } from "./stateful-parameter.ts";
export { type Lifetime, type Memory, Tensor } from "./tensor.ts";
export {
  type AdagradRule,
  type AdamRule,
  type MomentumRule,
  type RowWiseAdagradRule,
  type RuleNumbers,
  ruleNumbers,
  type SgdRule,
  type UpdateRule,
  validateUpdateRule,
} from "./update-rule.ts";
