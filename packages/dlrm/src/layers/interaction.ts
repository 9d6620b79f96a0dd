import { type Tensor, TtError } from "@tt-rec/tensor";
import type { DenseParameter } from "./dense-parameter.ts";

/** An interaction of one batch: its result, and the way back. */
export interface Interacted {
  /** What goes into the top MLP [B, outputWidth]. */
  readonly output: Tensor;
  /** Writes the gradients [B, D] of the vectors, and those of the parameters, from the gradient of the output. */
  backward(gradient: Tensor, vectorGradients: readonly Tensor[]): Promise<void>;
}

/** How the vectors of a sample (the bottom MLP's output, if any, and one embedding a table) meet. */
export interface Interaction {
  /** Columns of the result. */
  readonly outputWidth: number;
  /** What it learns. */
  readonly parameters: readonly DenseParameter[];
  /** Interacts V tensors [B, D]. Throws `E_SHAPE` on another number or shape. */
  forward(vectors: readonly Tensor[]): Promise<Interacted>;
}

/** The vectors that an interaction is made for. */
export interface Vectors {
  /** Vectors a sample V. */
  readonly count: number;
  /** Elements D of each. */
  readonly dim: number;
  /** Whether the first one is the bottom MLP's output. */
  readonly hasBottom: boolean;
}

/** Throws `E_SHAPE` unless there are V vectors [B, D]; returns B. */
export function checkVectors(vectors: readonly Tensor[], { count, dim }: Vectors): number {
  const rows = vectors[0]?.shape[0] ?? 0;
  if (vectors.length !== count) {
    throw new TtError("E_SHAPE", `${vectors.length} vectors a sample were given, ${count} were expected`);
  }
  for (const [v, { shape }] of vectors.entries()) {
    if (shape.length !== 2 || shape[0] !== rows || shape[1] !== dim) {
      throw new TtError("E_SHAPE", `vector ${v} has shape [${shape}], [${rows},${dim}] was expected`);
    }
  }
  return rows;
}
