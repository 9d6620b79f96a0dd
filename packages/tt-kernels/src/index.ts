export { DenseEmbeddingBag, type DenseEmbeddingBagOptions } from "./dense-embedding-bag.ts";
export type { Bags, EmbeddingBag, Plan, PlanMode, Pooling, SliceGradient, SliceGradients } from "./embedding-bag.ts";
export { type Lookup, resolveBags, selectPositions } from "./lookup/lookup.ts";
export { TTEmbeddingBag, type TTEmbeddingBagOptions } from "./tt-embedding-bag.ts";
