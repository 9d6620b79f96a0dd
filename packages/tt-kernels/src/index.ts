export { DenseEmbeddingBag, type DenseEmbeddingBagOptions } from "./dense-embedding-bag.ts";
export type {
  BagPhases,
  Bags,
  EmbeddingBag,
  OverlaidPlan,
  PhasedStep,
  Plan,
  PlanMode,
  Pooling,
  PreparedStep,
  SliceGradient,
  SliceGradients,
} from "./embedding-bag.ts";
export { Int8Rows, type LaidRows, type RoundingKeys } from "./int8-rows.ts";
export { checkIndices, type Lookup, resolveBags } from "./lookup/lookup.ts";
export { NO_ROW, type OverlaidLookup } from "./lookup/overlay.ts";
export { PlanBook } from "./lookup/plan-book.ts";
export { type Phase, type Phases, runPhases } from "./phases.ts";
export { TableBatchedTTEmbeddingBag } from "./table-batched-tt-embedding-bag.ts";
export { applyTogether, forwardTogether, prepareTogether, sortTogether } from "./together.ts";
export { TTEmbeddingBag, type TTEmbeddingBagOptions } from "./tt-embedding-bag.ts";
