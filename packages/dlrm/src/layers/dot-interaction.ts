import type { Runtime, Tensor } from "@tt-rec/tensor";
import { checkVectors, type Interacted, type Interaction, type Vectors } from "./interaction.ts";

/**
 * DLRM's dot interaction: the products ⟨v_i, v_j⟩ of all pairs j < i, or j ≤ i with self-interaction, row by row of the
 * lower triangle, behind the bottom MLP's output.
 */
export class DotInteraction implements Interaction {
  readonly outputWidth: number;
  readonly parameters: readonly [] = [];
  readonly #runtime: Runtime;
  readonly #vectors: Vectors;
  readonly #self: boolean;

  constructor(runtime: Runtime, vectors: Vectors, self: boolean) {
    this.#runtime = runtime;
    this.#vectors = vectors;
    this.#self = self;
    const { count, dim, hasBottom } = vectors;
    this.outputWidth = (hasBottom ? dim : 0) + (count * (count + (self ? 1 : -1))) / 2;
  }

  async forward(vectors: readonly Tensor[]): Promise<Interacted> {
    const output = this.#runtime.rawScratch([checkVectors(vectors, this.#vectors), this.outputWidth]);
    const { hasBottom } = this.#vectors;
    const { kernels } = this.#runtime;
    await kernels.dotInteraction(vectors, hasBottom, output, this.#self);
    return {
      output,
      backward: (gradient, vectorGradients) =>
        kernels.dotInteractionBackward(vectors, hasBottom, gradient, vectorGradients, this.#self),
    };
  }
}
