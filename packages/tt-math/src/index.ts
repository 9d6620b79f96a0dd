export { orthogonalize } from "./decompose/orthogonalize.ts";
export { roundTT } from "./decompose/round-tt.ts";
export {
  type ApproximationError,
  type ApproximationErrorOptions,
  approximationError,
} from "./decompose/streamed/approximation-error.ts";
export { type RowSource, type RowsInFile, rowsInFile, rowsInMemory } from "./decompose/streamed/row-source.ts";
export { type StreamedTTSvdOptions, streamedTTSvd } from "./decompose/streamed/streamed-tt-svd.ts";
export type { Truncation } from "./decompose/truncation.ts";
export { type TTSvdOptions, type TTSvdResult, ttSvd } from "./decompose/tt-svd.ts";
export { type WeightedFitOptions, type WeightedFitResult, weightedFit } from "./fit/weighted-fit.ts";
export {
  type Initializer,
  initializeCores,
  type PlainInitializer,
  type SampledGaussianInitializer,
} from "./initialize/initialize-cores.ts";
export { KAGGLE_CARDINALITIES, TERABYTE_CARDINALITIES } from "./plan/criteo-cardinalities.ts";
export { type CompressionPlan, type CompressionRequest, type PlannedTable, planCompression } from "./plan/plan-compression.ts";
export { cachedRowBytes, type RowStorage, type ShapeRule } from "./plan/table-choices.ts";
export { decodeFloat16, encodeFloat16 } from "./quantize/float16.ts";
export {
  type CoreStorage,
  dequantizeCores,
  type Float16Cores,
  type Float32Cores,
  type Int8Cores,
  type QuantizedCores,
  quantizeCores,
  storedBytes,
} from "./quantize/quantize-cores.ts";
export { decodeTables, type EncodedTables, encodeTables } from "./quantize/tables-format.ts";
export { compactShape } from "./shape/compact-shape.ts";
export { rowDigits, rowIndex } from "./shape/digits.ts";
export { type SuggestShapeOptions, suggestShape } from "./shape/suggest-shape.ts";
export {
  compressionRatio,
  coreBytes,
  coreShape,
  createTTShape,
  parameterCount,
  type TTShape,
  type TTShapeOptions,
} from "./shape/tt-shape.ts";
export { toDense } from "./to-dense.ts";
export { checkCores, type TTCores } from "./tt-cores.ts";
