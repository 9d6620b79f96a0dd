/** Settings that must stand before any other module compiles WebAssembly or loads a library: import this file first. */
import "@tt-rec/testing/relaxed-simd";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
// Every row with BLAS is a row of one thread; OpenBLAS reads these when it is loaded.
process.env.OPENBLAS_NUM_THREADS = "1";
process.env.OMP_NUM_THREADS = "1";

/** Collects garbage, so that one group's tables are gone before the next are made. */
export const collectGarbage: () => void = runInNewContext("gc");
