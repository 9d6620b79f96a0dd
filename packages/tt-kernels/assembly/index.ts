// The kernels of embedding bags. Every export is `kernel(args, begin, end)`; at `args` lies a record, the class that the
// kernel casts it to, a word a field in the order of their declaration.
export { backwardNodes, backwardRows, sumChildren } from "./backward";
export { computeRows, extendNodes } from "./forward";
export { innerGradient } from "./inner-gradient";
export { dequantizeRows, updateInt8Rows } from "./int8-rows";
export { finishSums, sumFirst, sumLast } from "./outer-gradients";
export { overlaidWeightGradients, poolOverlaid } from "./overlay";
export { planDense, planTT } from "./plan";
export { gatherGradients } from "./gather";
export { expandOffsets, poolRows, weightGradients } from "./pool";
export { transposeSlices } from "./transpose";
export { applySlices, scaleSlices, stepRows } from "./update";
export { sumOfSquares } from "../../tensor/assembly/squares";
