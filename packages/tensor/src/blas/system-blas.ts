import { basename } from "node:path";
import type { GemmLayout } from "../dense/kernels.ts";
import { TtError } from "../errors.ts";
import type { Blas } from "./blas.ts";

/** Options of `systemBlas`. */
export interface SystemBlasOptions {
  /** Path or name of the library, or several in order of preference; instead of the names known for the platform. */
  readonly library?: string | readonly string[];
}

type Koffi = typeof import("koffi");
type Library = ReturnType<Koffi["load"]>;
type Sgemm = Blas["sgemm"];

/** OpenBLAS and MKL first: the names after them may lead to any library. */
const LIBRARIES: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  darwin: ["/System/Library/Frameworks/Accelerate.framework/Accelerate"],
  linux: ["libopenblas.so.0", "libmkl_rt.so.2", "libmkl_rt.so", "libblas.so.3", "libcblas.so.3"],
  win32: ["libopenblas.dll", "mkl_rt.2.dll", "mkl_rt.dll"],
};

const INSTALL: Readonly<Partial<Record<NodeJS.Platform, string>>> = { linux: "apt-get install libopenblas0-pthread" };

/** Functions that set and get the number of threads, of OpenBLAS, MKL and BLIS. */
const THREADING = [
  ["openblas_set_num_threads", "openblas_get_num_threads"],
  ["MKL_Set_Num_Threads", "MKL_Get_Max_Threads"],
  ["bli_thread_set_num_threads", "bli_thread_get_num_threads"],
] as const;

/** CBLAS_ORDER and CBLAS_TRANSPOSE of cblas.h. */
const [ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE] = [101, 111, 112];

/**
 * OpenBLAS waits for work in a busy loop of 2^26 clock ticks, which takes a core from the wasm threads that run next;
 * 2^18, about 0.1 ms, bridges the gap between two layers all the same.
 */
const SPIN = { name: "OPENBLAS_THREAD_TIMEOUT", value: "18" };

/**
 * Loads the system's BLAS through the optional package koffi. Arrays are handed over without a copy, those on a shared
 * memory too. A library is tried on small products before it is returned; one that is known to be slower than
 * WebAssembly is taken only if `library` names it. Throws `E_NOT_FOUND` if koffi or a usable library is missing.
 */
export async function systemBlas({ library }: SystemBlasOptions = {}): Promise<Blas> {
  const koffi = await importKoffi();
  const names = library === undefined ? (LIBRARIES[process.platform] ?? []) : [library].flat();
  const refused: string[] = [];
  for (const name of names) {
    try {
      return open(koffi, name, library === undefined);
    } catch (error) {
      refused.push(`${name} (${(error as Error).message.replace(/^Failed to load shared library: /, "")})`);
    }
  }
  const install = INSTALL[process.platform];
  throw new TtError(
    "E_NOT_FOUND",
    `no usable BLAS library among ${refused.join(", ") || "none"}; ${install === undefined ? "" : `install one with ${install}, or `}give its path`,
    typeof library === "string" ? { file: library } : {},
  );
}

async function importKoffi(): Promise<Koffi> {
  try {
    return await import("koffi");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const state = code === "ERR_MODULE_NOT_FOUND" ? "is not installed" : `cannot be loaded (${message})`;
    throw new TtError("E_NOT_FOUND", `a system BLAS is called through koffi, which ${state}: npm install koffi`, {}, { cause });
  }
}

/** Throws an error with the reason if the library is of no use. */
function open(koffi: Koffi, name: string, onlyFast: boolean): Blas {
  const library = withShortSpin(() => koffi.load(name));
  pin(koffi, name);
  const threading = findThreading(library);
  // Without threads it is the reference BLAS or a relative, at a tenth of the speed of the wasm kernels; Apple's has no such functions.
  if (onlyFast && threading === undefined && process.platform !== "darwin") throw new Error("a slow reference BLAS");
  const sgemm = bindSgemm(library);
  if (!multiplies(sgemm)) throw new Error("wrong products: its integers may have another size");
  return {
    name: nameOf(library) ?? basename(name),
    setThreads(threads) {
      if (!Number.isInteger(threads) || threads < 1) {
        throw new TtError("E_OPTION", `${threads} threads for BLAS: a whole number of at least 1 is needed`);
      }
      return threading?.(threads) ?? 1;
    },
    sgemm,
  };
}

/** OpenBLAS reads its environment when it is loaded; a value that the user has set stays. */
function withShortSpin<T>(load: () => T): T {
  if (process.env[SPIN.name] !== undefined) return load();
  process.env[SPIN.name] = SPIN.value;
  try {
    return load();
  } finally {
    delete process.env[SPIN.name];
  }
}

/** Keeps the library loaded for good: koffi unloads at exit, and OpenMP threads that still wait in it would crash the process. */
function pin(koffi: Koffi, name: string): void {
  try {
    if (process.platform === "win32") koffi.load("kernel32.dll").func("LoadLibraryA", "void *", ["str"])(name);
    else koffi.load(null).func("dlopen", "void *", ["str", "int"])(name, 1);
  } catch {
    // A platform without these functions: the library is then unloaded at exit.
  }
}

function findThreading(library: Library): ((threads: number) => number) | undefined {
  for (const [setter, getter] of THREADING) {
    const set = find(library, setter, "void", ["int"]);
    const get = find(library, getter, "int", []);
    if (set === undefined || get === undefined) continue;
    return (threads) => {
      set(threads);
      return get() as number;
    };
  }
  return undefined;
}

function find(
  library: Library,
  name: string,
  result: string,
  parameters: string[],
): ((...values: number[]) => unknown) | undefined {
  try {
    return library.func(name, result, parameters);
  } catch {
    return undefined;
  }
}

function nameOf(library: Library): string | undefined {
  const config = find(library, "openblas_get_config", "str", [])?.();
  const version = typeof config === "string" ? /^OpenBLAS (\S+)/.exec(config)?.[1] : undefined;
  return version === undefined ? undefined : `openblas-${version}`;
}

function bindSgemm(library: Library): Sgemm {
  const [int, float, array] = ["int", "float", "void *"];
  const parameters = [int, int, int, int, int, int, float, array, int, array, int, float, array, int];
  const call = library.func("cblas_sgemm", "void", parameters);
  return (layout, m, n, k, a, b, out) => {
    assertExtents(layout, m, n, k, a, b, out);
    if (m === 0 || n === 0) return;
    if (k === 0) {
      out.fill(0, 0, m * n);
      return;
    }
    const [transposeA, columnsA] = layout === "tn" ? [TRANSPOSE, m] : [NO_TRANSPOSE, k];
    const [transposeB, columnsB] = layout === "nt" ? [TRANSPOSE, k] : [NO_TRANSPOSE, n];
    call(ROW_MAJOR, transposeA, transposeB, m, n, k, 1, a, columnsA, b, columnsB, 0, out, n);
  };
}

/** The library believes the extents: a wrong one would write over foreign memory. */
function assertExtents(
  layout: GemmLayout,
  m: number,
  n: number,
  k: number,
  a: Float32Array,
  b: Float32Array,
  out: Float32Array,
): void {
  const whole = (m | 0) === m && (n | 0) === n && (k | 0) === k && m >= 0 && n >= 0 && k >= 0;
  if (whole && a.length >= m * k && b.length >= k * n && out.length >= m * n) return;
  throw new TtError(
    "E_SHAPE",
    `sgemm ${layout}: m, n, k = ${m}, ${n}, ${k} and arrays of ${a.length}, ${b.length} and ${out.length} elements`,
  );
}

/** Tries all layouts on whole numbers, whose product is exact, in arrays that do not start at their buffer's first byte. */
function multiplies(sgemm: Sgemm): boolean {
  const [m, n, k] = [3, 5, 2];
  const shared = (length: number) => new Float32Array(new SharedArrayBuffer(4 * length + 16), 16);
  const [a, b, out] = [shared(m * k), shared(k * n), shared(m * n)];
  a.set(a.map((_, i) => i + 1));
  b.set(b.map((_, i) => 2 * i - 7));
  return (["nn", "nt", "tn"] as const).every((layout) => {
    out.fill(Number.NaN);
    sgemm(layout, m, n, k, a, b, out);
    return out.every((value, at) => {
      const [i, j] = [Math.floor(at / n), at % n];
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[layout === "tn" ? p * m + i : i * k + p] * b[layout === "nt" ? j * k + p : p * n + j];
      return value === sum;
    });
  });
}
