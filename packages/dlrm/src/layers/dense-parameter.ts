import { Parameter, type Runtime, type Tensor, TtError, type UpdateRule } from "@tt-rec/tensor";
import { addTo } from "./add-to.ts";

/** A parameter of a dense layer, with the gradient of the present step. */
export class DenseParameter extends Parameter {
  readonly #runtime: Runtime;
  #gradient: Tensor | undefined;
  /** The sum over the parts of a batch, if it goes through the layers part by part. */
  #sum: Tensor | undefined;

  constructor(runtime: Runtime, name: string, shape: readonly number[]) {
    super(runtime, name, shape);
    this.#runtime = runtime;
  }

  /** A scratch tensor for the gradient of this step, of the shape of the weights, to be written whole. */
  newGradient(): Tensor {
    this.#gradient = this.#runtime.rawScratch(this.weights.shape);
    return this.#gradient;
  }

  /** The gradient of this step. Throws `E_STEP` if there was no backward pass. */
  get gradient(): Tensor {
    if (this.#gradient === undefined) throw new TtError("E_STEP", `${this.name} has no gradient before a backward pass`);
    return this.#gradient;
  }

  /** Begins a sum of gradients at 0; it lives as long as what the caller's scope makes. */
  beginSum(): void {
    this.#sum = this.#runtime.scratch(this.weights.shape);
  }

  /** Adds the gradient of a part of the batch to the sum. */
  async addToSum(): Promise<void> {
    if (this.#sum !== undefined) await addTo(this.#runtime.kernels, this.#sum, this.gradient);
  }

  /** Takes the sum for the gradient. */
  endSum(): void {
    this.#gradient = this.#sum;
    this.#sum = undefined;
  }

  /** What the update kernel needs of it. */
  updateBy(rule: UpdateRule): { weights: Tensor; gradient: Tensor; state?: Tensor } {
    const state = this.stateFor(rule);
    return { weights: this.weights, gradient: this.gradient, ...(state && { state }) };
  }
}
