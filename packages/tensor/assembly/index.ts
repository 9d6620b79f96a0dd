export { biasRelu } from "./bias-relu";
export { biasReluBackward } from "./columns";
export { product } from "./gemm";
export { packColumns, packRows, transpose } from "./gemm-pack";
export { columnCombinations, rowDots } from "./gemv";
export { dotInteraction } from "./interaction";
export { dotInteractionBackward } from "./interaction-backward";
export { sumOfSquares } from "./squares";
export { adagrad, rowWiseAdagrad, sgd } from "./update";
