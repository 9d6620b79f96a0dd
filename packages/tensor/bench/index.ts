import { report, saveResults } from "@tt-rec/testing";
import { ceilings } from "./ceiling.ts";
import { gemm } from "./gemm.ts";
import { layers } from "./layers.ts";
import { safetensors, scratch } from "./memory.ts";
import { plainRuntime, reference, runtime, twoThreads } from "./setting.ts";

const builds = [...new Set([runtime.simd, plainRuntime.simd])];
const results = [
  ...(await ceilings(builds)),
  ...(await gemm()),
  ...(await layers()),
  ...(await safetensors()),
  ...(await scratch()),
];
for (const owner of [runtime, plainRuntime, twoThreads, reference]) await owner.close();
console.log(report(results));
await saveResults(results);
