import type { Runtime, Tensor } from "@tt-rec/tensor";
import { checkVectors, type Interacted, type Interaction, type Vectors } from "./interaction.ts";

/** All vectors of a sample one behind the other. */
export class Concatenation implements Interaction {
  readonly outputWidth: number;
  readonly parameters: readonly [] = [];
  readonly #runtime: Runtime;
  readonly #vectors: Vectors;

  constructor(runtime: Runtime, vectors: Vectors) {
    this.#runtime = runtime;
    this.#vectors = vectors;
    this.outputWidth = vectors.count * vectors.dim;
  }

  async forward(vectors: readonly Tensor[]): Promise<Interacted> {
    const output = this.#runtime.rawScratch([checkVectors(vectors, this.#vectors), this.outputWidth]);
    const { kernels } = this.#runtime;
    await kernels.joinColumns(vectors, output);
    return { output, backward: (gradient, vectorGradients) => kernels.splitColumns(gradient, vectorGradients) };
  }
}
