import type { Runtime } from "@tt-rec/tensor";
import type { GpuDevice } from "../src/gpu.ts";
import type { SuiteAssertions } from "./engine-agreement.ts";

/** What a case works with. */
export interface GpuBench {
  readonly device: GpuDevice;
  /** Owns the step memory. */
  readonly runtime: Runtime;
  /** The plain-TypeScript oracle. */
  readonly reference: Runtime;
  /** Random batches a property is tried on. */
  readonly runs: number;
}

/** A test that runs on every device, under AVA and in a page. */
export interface GpuCase {
  readonly name: string;
  run(t: SuiteAssertions, bench: GpuBench): Promise<void>;
}
