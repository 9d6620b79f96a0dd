import "@tt-rec/testing/relaxed-simd";
import { Runtime } from "@tt-rec/tensor";
import type { Engine } from "./engine-agreement.ts";

/** The plain-TypeScript oracle. */
export const reference: Runtime = await Runtime.create({ backend: "reference", poison: true });

/** Both builds of the kernels on 1, 2 and 4 threads, with tables above 1 kB in memories of their own. */
export const engines: readonly Engine[] = await Promise.all(
  (["simd", "relaxed"] as const).flatMap((simd) =>
    [1, 2, 4].map(async (threads) => ({
      simd,
      threads,
      runtime: await Runtime.create({ simd, threads, poison: true, ownMemoryBytes: 1000 }),
    })),
  ),
);
