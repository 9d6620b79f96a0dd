import { TtError } from "../errors.ts";
import type { KernelModule } from "./kernel-host.ts";
import { canShare, type KernelFunction, type WasmMemory, type WasmModule, webAssembly } from "./web-assembly.ts";

/** The two builds of the kernels: `relaxed` fuses multiplication and addition, `simd` gives the same bits on every machine. */
export type SimdBuild = "simd" | "relaxed";

/** `f32x4.relaxed_madd` of three zero vectors, dropped. */
const PROBE = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 62, 1, 60, 0],
  ...new Array(3).fill([253, 12, ...new Array(16).fill(0)]).flat(),
  ...[253, 133, 2, 26, 11],
);

/** The best build that this engine accepts, or the one asked for. Throws `E_OPTION` if relaxed SIMD is asked for in vain. */
export function chooseBuild(asked: SimdBuild | undefined): SimdBuild {
  const relaxed = webAssembly.validate(PROBE);
  if (asked === "relaxed" && !relaxed) {
    throw new TtError(
      "E_OPTION",
      'simd = "relaxed" needs relaxed SIMD, which this JavaScript engine has not, or not switched on',
    );
  }
  return asked ?? (relaxed ? "relaxed" : "simd");
}

const compiled: Readonly<Record<SimdBuild, WeakMap<KernelModule, WasmModule>>> = { simd: new WeakMap(), relaxed: new WeakMap() };

/** Compiles a build of a module, once for all runtimes. */
export function compileKernels(module: KernelModule, build: SimdBuild): WasmModule {
  const known = compiled[build].get(module);
  if (known !== undefined) return known;
  const binary = Uint8Array.from(atob(module[build]), (character) => character.charCodeAt(0));
  if (!canShare) declareUnshared(binary);
  const result = new webAssembly.Module(binary);
  compiled[build].set(module, result);
  return result;
}

/** Makes an instance on a memory; the kernels in the order of their names, which is the same in every thread. */
export function instantiateKernels(module: WasmModule, memory: WasmMemory): [string, KernelFunction][] {
  const { exports } = new webAssembly.Instance(module, { env: { memory } });
  const kernels = Object.entries(exports).filter(([, value]) => typeof value === "function") as [string, KernelFunction][];
  return kernels.sort(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * Clears the shared flag of the imported memory, `env.memory` with limits of kind 3. The kernels have no atomics, so the
 * same code runs on an unshared memory.
 */
function declareUnshared(binary: Uint8Array): void {
  const name = [3, 101, 110, 118, 6, 109, 101, 109, 111, 114, 121, 2, 3];
  for (let i = 0; i + name.length <= binary.length; i++) {
    if (name.every((byte, j) => binary[i + j] === byte)) {
      binary[i + name.length - 1] = 1;
      return;
    }
  }
}
