export { type Assertions, allClose } from "./all-close.ts";
export { finiteDifferences } from "./finite-differences.ts";
export { type PlainBags, poolRows } from "./pooling-oracle.ts";
export { type RequestOptions, randomBags } from "./requests.ts";
export { denseFromCores } from "./tt-oracle.ts";
