export { type Assertions, allClose } from "./all-close.ts";
export { type Benchmark, type BenchmarkCase, type BenchmarkResult, runBenchmark, type Work } from "./bench.ts";
export { type Machine, saveResults } from "./bench-node.ts";
export { report } from "./bench-report.ts";
export { finiteDifferences } from "./finite-differences.ts";
export { type PlainBags, poolRows } from "./pooling-oracle.ts";
export { type DrawnBags, type RequestOptions, randomBags } from "./requests.ts";
export { rejectsCode, throwsCode } from "./throws-code.ts";
export { denseFromCores } from "./tt-oracle.ts";
