import { Runtime, type RuntimeOptions } from "@tt-rec/tensor";
import type { Session } from "./session.ts";

/** A runtime that is made at its first use and closed with the session. */
export type LazyRuntime = () => Promise<Runtime>;

let loadedBlas = "off";

/** Name of the BLAS that `blasRuntime` has found, for the record; `off` before. */
export function blasName(): string {
  return loadedBlas;
}

/** A runtime on our own kernels. */
export function wasmRuntime(
  session: Session,
  threads: number,
  simd: NonNullable<RuntimeOptions["simd"]> = "relaxed",
): LazyRuntime {
  return session.hold(() => Runtime.create({ threads, simd, backend: "wasm", blas: "off" }), close);
}

/** A runtime of one thread whose large products the system's BLAS computes; using it throws a `TtError` where that is missing. */
export function blasRuntime(session: Session): LazyRuntime {
  return session.hold(async () => {
    const { systemBlas } = await import("@tt-rec/tensor/node");
    const blas = await systemBlas();
    loadedBlas = blas.name;
    return Runtime.create({ threads: 1, simd: "relaxed", backend: "wasm", blas });
  }, close);
}

function close(runtime: Runtime): Promise<void> {
  return runtime.close();
}
