import { Runtime } from "@tt-rec/tensor";
import { GpuDevice } from "@tt-rec/tt-kernels/gpu";
import fc from "fast-check";
import { gpuTraining } from "../../packages/dlrm/dist/test/gpu-training.js";
import { CPU_CASES } from "../../packages/tt-kernels/dist/test/cpu-suite.js";
import { GPU_CASES } from "../../packages/tt-kernels/dist/test/gpu-suite.js";

fc.configureGlobal({ seed: 2021 });

/** Assertions that throw, as AVA's do. */
const assertions = {
  pass() {},
  fail(message) {
    throw new Error(message);
  },
  is(actual, expected, message) {
    if (!Object.is(actual, expected)) throw new Error(message ?? `${actual} is not ${expected}`);
  },
  deepEqual(actual, expected, message = "") {
    const [a, b] = [text(actual), text(expected)];
    if (a !== b) throw new Error(`${message} ${a.slice(0, 300)} is not ${b.slice(0, 300)}`);
  },
};

/** A value as text, in which arrays of different kinds differ, and maps and NaN show. */
function text(value) {
  return JSON.stringify(value, (_, part) => {
    if (ArrayBuffer.isView(part)) return [part.constructor.name, ...part].map(String);
    if (part instanceof Map) return ["Map", ...part];
    return typeof part === "number" ? String(part) : part;
  });
}

/** Runs cases one by one and tells how each ended; a case may be given up on only by failing. */
async function runAll(cases, prefix, bench, tell) {
  const result = { passed: 0, failed: 0 };
  for (const { name, run } of cases) {
    const start = performance.now();
    try {
      await run(assertions, bench);
      result.passed++;
      tell(`  ✔ ${prefix}: ${name} (${Math.round(performance.now() - start)} ms)`);
    } catch (error) {
      result.failed++;
      tell(`  ✘ ${prefix}: ${name}\n${error?.stack ?? error}\n${error?.cause?.stack ?? ""}`);
    }
  }
  return result;
}

/** The GPU suite in one mode of gpu.js. */
export async function runGpu({ mode, runs }, tell) {
  const device = await GpuDevice.open({ mode });
  const [runtime, reference] = [await Runtime.create({ poison: true }), await Runtime.create({ backend: "reference" })];
  tell(`${device.mode} on ${device.adapter}${device.software ? " (software)" : ""}`);
  const result = await runAll([...GPU_CASES, gpuTraining], mode, { device, runtime, reference, runs }, tell);
  await device.close();
  return result;
}

/** The CPU suite with as many threads as are to be had, which must be `threads`. */
export async function runCpu({ runs, threads }, tell) {
  const reference = await Runtime.create({ backend: "reference" });
  const engines = [];
  for (const simd of ["simd", "relaxed"]) {
    for (const wanted of [1, 2]) {
      const runtime = await Runtime.create({ simd, threads: wanted, poison: true, ownMemoryBytes: 1000 });
      engines.push({ simd, threads: runtime.threads, runtime });
    }
  }
  const where = `${typeof document === "undefined" ? "worker" : "page"}, ${globalThis.crossOriginIsolated ? "isolated" : "not isolated"}`;
  const most = Math.max(...engines.map((engine) => engine.threads));
  tell(`CPU kernels in a ${where}: ${most} ${most === 1 ? "thread" : "threads"}`);
  const counted = { name: `there are ${threads} threads`, run: async (t) => t.is(most, threads) };
  const result = await runAll([counted, ...CPU_CASES], `cpu kernels (${where})`, { engines, reference, runs }, tell);
  for (const { runtime } of engines) await runtime.close();
  return result;
}
