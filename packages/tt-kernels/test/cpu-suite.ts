import { createRng, type Runtime } from "@tt-rec/tensor";
import fc from "fast-check";
import { DenseEmbeddingBag, type EmbeddingBag, TTEmbeddingBag } from "../src/index.ts";
import { batches, drawBags, positive, positiveCores, SHAPES } from "./bag-cases.ts";
import { compareEngines, type Engine, type SuiteAssertions } from "./engine-agreement.ts";

/** What a case compares. */
export interface CpuBench {
  readonly engines: readonly Engine[];
  /** The plain-TypeScript oracle. */
  readonly reference: Runtime;
  /** Random batches a property is tried on. */
  readonly runs: number;
}

/** A test of the CPU's kernels, under AVA and in a page. */
export interface CpuCase {
  readonly name: string;
  run(t: SuiteAssertions, bench: CpuBench): Promise<void>;
}

const ttCases: CpuCase[] = SHAPES.map((shape, i) => ({
  name: `TT bag ${i}, rows ${shape.rowShape} by ${shape.columnShape}: all engines agree with the reference`,
  async run(t, { engines, reference, runs }) {
    const property = fc.asyncProperty(batches, async (batch) => {
      const cores = positiveCores(shape, createRng(batch.seed));
      const make = (runtime: Runtime): EmbeddingBag => new TTEmbeddingBag(runtime, { shape, cores, pooling: batch.pooling });
      await compareEngines(t, engines, reference, make, drawBags(batch, shape.numEmbeddings), batch);
    });
    await fc.assert(property, { numRuns: runs });
  },
}));

const denseCases: CpuCase[] = [1, 5, 13, 16, 20].map((embeddingDim) => ({
  name: `dense bag of ${embeddingDim} columns: all engines agree with the reference, on the heap and in a memory of its own`,
  async run(t, { engines, reference, runs }) {
    const property = fc.asyncProperty(batches, fc.constantFrom(7, 97), async (batch, numEmbeddings) => {
      const rng = createRng(batch.seed);
      const initial = Float32Array.from({ length: numEmbeddings * embeddingDim }, () => positive(rng));
      const initialize = (table: Float32Array): void => table.set(initial);
      const make = (runtime: Runtime): EmbeddingBag =>
        new DenseEmbeddingBag(runtime, { numEmbeddings, embeddingDim, pooling: batch.pooling, initialize });
      await compareEngines(t, engines, reference, make, drawBags(batch, numEmbeddings), batch);
    });
    await fc.assert(property, { numRuns: runs });
  },
}));

/** All cases. */
export const CPU_CASES: readonly CpuCase[] = [...ttCases, ...denseCases];
