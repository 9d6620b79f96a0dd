import { Parameter, type Runtime, type Tensor, type UpdateRule } from "@tt-rec/tensor";

/** A parameter of a dense layer, with the gradient of the present step. */
export class DenseParameter extends Parameter {
  readonly #runtime: Runtime;
  #gradient: Tensor | undefined;

  constructor(runtime: Runtime, name: string, shape: readonly number[]) {
    super(runtime, name, shape);
    this.#runtime = runtime;
  }

  /** A scratch tensor for the gradient of this step, of the shape of the weights. */
  newGradient(): Tensor {
    this.#gradient = this.#runtime.scratch(this.weights.shape);
    return this.#gradient;
  }

  /** Sum of the squares of this step's gradient. */
  gradientSumOfSquares(): number {
    let sum = 0;
    const data = this.#gradient?.data ?? [];
    for (let i = 0; i < data.length; i++) sum += data[i] * data[i];
    return sum;
  }

  /** Updates the weights from this step's gradient. */
  apply(rule: UpdateRule): void {
    if (this.#gradient !== undefined) this.update(rule, this.#gradient);
  }
}
