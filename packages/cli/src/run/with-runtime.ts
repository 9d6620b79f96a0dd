import { availableParallelism } from "node:os";
import type { DlrmOptions } from "@tt-rec/dlrm";
import { type Blas, isTtError, Runtime } from "@tt-rec/tensor";
import { systemBlas } from "@tt-rec/tensor/node";
import type { MachineSettings, ModelMachineSettings } from "../options/machine-options.ts";
import type { Reporter } from "../output/reporter.ts";
import { withGpu } from "./with-gpu.ts";

/** A runtime takes no more. */
const MAX_THREADS = 256;

/** Makes a runtime, says which engine it has, lends it to `use`, and closes it, however that ends. */
export async function withRuntime<T>(
  { threads, blas, simd }: MachineSettings,
  reporter: Reporter,
  use: (runtime: Runtime) => Promise<T>,
): Promise<T> {
  const runtime = await Runtime.create({
    threads: threads === "auto" ? Math.min(availableParallelism(), MAX_THREADS) : threads,
    blas: await chooseBlas(blas),
    ...(simd !== "auto" && { simd }),
  });
  try {
    const { engine } = runtime.kernels;
    reporter.line(`engine ${engineText(engine, runtime.threads)}`);
    reporter.event("engine", { engine, threads: runtime.threads });
    return await use(runtime);
  } finally {
    await runtime.close();
  }
}

/** As `withRuntime`, and lends a GPU for the TT tables too if one is asked for. */
export function withModelRuntime<T>(
  machine: ModelMachineSettings,
  reporter: Reporter,
  use: (runtime: Runtime, tables: DlrmOptions) => Promise<T>,
): Promise<T> {
  return withRuntime(machine, reporter, (runtime) =>
    machine.backend === "wasm" ? use(runtime, {}) : withGpu(machine.gpuMode, reporter, (ttTables) => use(runtime, { ttTables })),
  );
}

/** An engine and its threads, for people. */
export function engineText(engine: string, threads: number): string {
  return `${engine}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
}

/**
 * The library that `--blas` asks for. `auto` does without where koffi or a usable library is missing; for a library that is
 * named, that is an error, `E_NOT_FOUND`.
 */
export async function chooseBlas(choice: string, load: typeof systemBlas = systemBlas): Promise<Blas | "off"> {
  if (choice === "off") return choice;
  if (choice !== "auto") return load({ library: choice });
  return load().catch((error: unknown) => {
    if (isTtError(error) && error.code === "E_NOT_FOUND") return "off";
    throw error;
  });
}
