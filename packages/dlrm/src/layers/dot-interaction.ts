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

  /** Copies V tensors [B, D] into one stack [B, V, D]. */
  stack(parts: readonly Tensor[]): Tensor {
    const [dim, vectors] = [this.#dim, this.#vectors];
    const rows = parts[0].shape[0];
    const stack = this.#runtime.scratch([rows, vectors, dim]);
    const target = stack.data;
    for (const [v, part] of parts.entries()) {
      if (part.size !== rows * dim)
        throw new TtError("E_SHAPE", `vector ${v} has shape [${part.shape}], [${rows},${dim}] was expected`);
      const source = part.data;
      for (let b = 0; b < rows; b++) {
        const [from, to] = [b * dim, (b * vectors + v) * dim];
        for (let j = 0; j < dim; j++) target[to + j] = source[from + j];
      }
    }
    return stack;
  }

  /** Interacts a stack [B, V, D]: [B, outputWidth]. */
  forward(stack: Tensor): Tensor {
    const [dim, vectors, width] = [this.#dim, this.#vectors, this.outputWidth];
    const rows = stack.shape[0];
    const out = this.#runtime.scratch([rows, width]);
    const [x, z] = [stack.data, out.data];
    for (let b = 0; b < rows; b++) {
      const base = b * vectors * dim;
      let o = b * width;
      if (this.#passThrough) for (let j = 0; j < dim; j++) z[o++] = x[base + j];
      for (let i = 1; i < vectors; i++) {
        for (let k = 0; k < i; k++) {
          let sum = 0;
          for (let j = 0; j < dim; j++) sum += x[base + i * dim + j] * x[base + k * dim + j];
          z[o++] = sum;
        }
      }
    }
    return out;
  }

  /** Gradient [B, V, D] of the stack from the gradient [B, outputWidth] of the output. */
  backward(stack: Tensor, gradient: Tensor): Tensor {
    const [dim, vectors, width] = [this.#dim, this.#vectors, this.outputWidth];
    const rows = stack.shape[0];
    const result = this.#runtime.scratch(stack.shape);
    const [x, dz, dx] = [stack.data, gradient.data, result.data];
    for (let b = 0; b < rows; b++) {
      const base = b * vectors * dim;
      let o = b * width;
      if (this.#passThrough) for (let j = 0; j < dim; j++) dx[base + j] = dz[o++];
      for (let i = 1; i < vectors; i++) {
        for (let k = 0; k < i; k++) {
          const g = dz[o++];
          const [vi, vk] = [base + i * dim, base + k * dim];
          for (let j = 0; j < dim; j++) {
            dx[vi + j] += g * x[vk + j];
            dx[vk + j] += g * x[vi + j];
          }
        }
      }
    }
    return result;
  }

  /** Copies vector v of a stack [B, V, D] out of it: [B, D]. */
  unstack(stack: Tensor, v: number): Tensor {
    const [dim, vectors] = [this.#dim, this.#vectors];
    const rows = stack.shape[0];
    const part = this.#runtime.scratch([rows, dim]);
    const [source, target] = [stack.data, part.data];
    for (let b = 0; b < rows; b++) {
      const [from, to] = [(b * vectors + v) * dim, b * dim];
      for (let j = 0; j < dim; j++) target[to + j] = source[from + j];
    }
    return part;
  }
}
