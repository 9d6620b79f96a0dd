export { DenseEmbeddingBag, type DenseEmbeddingBagOptions } from "./dense-embedding-bag.ts";
export type {
  BagPhases,
  Bags,
  EmbeddingBag,
  Plan,
  PlanMode,
  Pooling,
  PreparedStep,
  SliceGradient,
  SliceGradients,
} from "./embedding-bag.ts";
export { type Lookup, resolveBags, selectPositions } from "./lookup/lookup.ts";
export type { Phase, Phases } from "./phases.ts";
export { TableBatchedTTEmbeddingBag } from "./table-batched-tt-embedding-bag.ts";
export { applyTogether, forwardTogether, prepareTogether, sortTogether } from "./together.ts";
export { TTEmbeddingBag, type TTEmbeddingBagOptions } from "./tt-embedding-bag.ts";
