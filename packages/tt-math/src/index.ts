export { KAGGLE_CARDINALITIES, TERABYTE_CARDINALITIES } from "./criteo-cardinalities.ts";
export { rowDigits, rowIndex } from "./digits.ts";
export { type Initializer, initializeCores } from "./initialize-cores.ts";
export { type CompressionPlan, type CompressionRequest, type PlannedTable, planCompression } from "./size-plan.ts";
export { type SuggestShapeOptions, suggestShape } from "./suggest-shape.ts";
export { toDense } from "./to-dense.ts";
export { checkCores, type TTCores } from "./tt-cores.ts";
export {
  compressionRatio,
  coreBytes,
  coreShape,
  createTTShape,
  parameterCount,
  type TTShape,
  type TTShapeOptions,
} from "./tt-shape.ts";
export { type TTSvdOptions, type TTSvdResult, ttSvd } from "./tt-svd.ts";
