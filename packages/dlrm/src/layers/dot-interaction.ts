import { type Runtime, type Tensor, TtError } from "@tt-rec/tensor";

/**
 * DLRM's dot interaction of V vectors a sample (the bottom MLP's output, if any, and one embedding a table): the
 * products ⟨v_i, v_j⟩ of all pairs j < i, row by row of the strictly lower triangle, behind the bottom MLP's output.
 */
export class DotInteraction {
  /** Width of the output: D of the bottom MLP's output, if there is one, and V·(V − 1) / 2 products. */
  readonly outputWidth: number;
  readonly #runtime: Runtime;
  readonly #dim: number;
  readonly #vectors: number;
  readonly #passThrough: boolean;

  /** `passThrough` tells that the first vector is the bottom MLP's output, which is copied in front of the products. */
  constructor(runtime: Runtime, vectors: number, embeddingDim: number, passThrough: boolean) {
    this.#runtime = runtime;
    this.#dim = embeddingDim;
    this.#vectors = vectors;
    this.#passThrough = passThrough;
    this.outputWidth = (passThrough ? embeddingDim : 0) + (vectors * (vectors - 1)) / 2;
  }

  /** Interacts V tensors [B, D]: [B, outputWidth]. Throws `E_SHAPE` on another number or shape. */
  async forward(vectors: readonly Tensor[]): Promise<Tensor> {
    this.#check(vectors);
    const out = this.#runtime.rawScratch([vectors[0].shape[0], this.outputWidth]);
    await this.#runtime.kernels.dotInteraction(vectors, this.#passThrough, out);
    return out;
  }

  /** Gradients [B, D] of the V vectors from the gradient [B, outputWidth] of the output. */
  async backward(vectors: readonly Tensor[], gradient: Tensor): Promise<Tensor[]> {
    this.#check(vectors);
    const gradients = vectors.map(({ shape }) => this.#runtime.rawScratch(shape));
    await this.#runtime.kernels.dotInteractionBackward(vectors, this.#passThrough, gradient, gradients);
    return gradients;
  }

  #check(vectors: readonly Tensor[]): void {
    const rows = vectors[0]?.shape[0] ?? 0;
    if (vectors.length !== this.#vectors) {
      throw new TtError("E_SHAPE", `${vectors.length} vectors a sample were given, ${this.#vectors} were expected`);
    }
    for (const [v, { shape }] of vectors.entries()) {
      if (shape.length !== 2 || shape[0] !== rows || shape[1] !== this.#dim) {
        throw new TtError("E_SHAPE", `vector ${v} has shape [${shape}], [${rows},${this.#dim}] was expected`);
      }
    }
  }
}
