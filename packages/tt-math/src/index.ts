export { rowDigits, rowIndex, rowStrides } from "./digits.ts";
export { type SuggestShapeOptions, suggestShape } from "./suggest-shape.ts";
export type { TTCores } from "./tt-cores.ts";
export {
  compressionRatio,
  coreBytes,
  coreShape,
  createTTShape,
  parameterCount,
  type TTShape,
  type TTShapeOptions,
} from "./tt-shape.ts";
