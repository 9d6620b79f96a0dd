import type { SimdBuild } from "@tt-rec/tensor";
import { type BenchmarkResult, peak, READABLE_BYTES, reader, runBenchmark } from "@tt-rec/testing";

/** The rates of the unit for multiply-adds and of the memory's levels. */
export async function ceilings(builds: readonly SimdBuild[]): Promise<BenchmarkResult[]> {
  const flops = 1e7;
  const read = reader();
  const sizes = { L1: 16 << 10, L2: 256 << 10, DRAM: READABLE_BYTES };
  return [
    ...(await runBenchmark({
      id: "ceiling/multiply-add",
      cases: builds.map((build) => {
        const run = peak(build);
        return { name: build, engine: "ceiling", work: { amount: flops / 1e9, unit: "GFLOP" }, run: () => run(flops) };
      }),
    })),
    ...(await runBenchmark({
      id: "ceiling/read",
      cases: Object.entries(sizes).map(([name, bytes]) => {
        const work = { amount: bytes / 1e9, unit: "GB" };
        return { name, engine: "ceiling", work, run: () => read(bytes) };
      }),
    })),
  ];
}
