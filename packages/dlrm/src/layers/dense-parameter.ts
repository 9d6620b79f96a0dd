import {
  type HostTensor,
  type NamedTensors,
  type Runtime,
  type Tensor,
  TtError,
  type UpdateRule,
  updateRange,
} from "@tt-rec/tensor";

const ADAGRAD_PREFIX = "adagrad.";

/** A parameter of a dense layer: its weights, the gradient of the present step, and optimizer state. */
export class DenseParameter {
  /** Name in the state of the model. */
  readonly name: string;
  /** The weights. */
  readonly weights: Tensor;
  readonly #runtime: Runtime;
  #gradient: Tensor | undefined;
  #accumulators: Tensor | undefined;

  constructor(runtime: Runtime, name: string, shape: readonly number[]) {
    this.name = name;
    this.#runtime = runtime;
    this.weights = runtime.tensor(shape);
  }

  /** Bytes of weights and optimizer state. */
  get bytes(): number {
    return (this.weights.size + (this.#accumulators?.size ?? 0)) * Float32Array.BYTES_PER_ELEMENT;
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
    if (this.#gradient === undefined) return;
    if (rule.kind === "adagrad") this.#accumulators ??= this.#runtime.tensor(this.weights.shape);
    updateRange(rule, this.weights.data, 0, this.#gradient.data, 0, this.weights.size, this.#accumulators?.data);
  }

  /** Weights and optimizer state by name. */
  entries(): [string, HostTensor][] {
    const view = (tensor: Tensor): HostTensor => ({ dtype: "F32", shape: tensor.shape, data: tensor.data });
    const weights: [string, HostTensor] = [this.name, view(this.weights)];
    return this.#accumulators === undefined ? [weights] : [weights, [ADAGRAD_PREFIX + this.name, view(this.#accumulators)]];
  }

  /** The names of its entries, that of optimizer state included. */
  get stateNames(): readonly [string, string] {
    return [this.name, ADAGRAD_PREFIX + this.name];
  }

  /** Throws `E_MISMATCH` unless the state has this parameter in its shape. */
  check(state: NamedTensors): void {
    for (const name of this.stateNames) {
      const tensor = state.get(name);
      if (tensor === undefined && name === this.name) {
        throw new TtError("E_MISMATCH", `the state has no tensor "${name}"`, { tensor: name });
      }
      if (tensor !== undefined && (tensor.dtype !== "F32" || String(tensor.shape) !== String(this.weights.shape))) {
        throw new TtError(
          "E_MISMATCH",
          `tensor "${name}" is ${tensor.dtype} [${tensor.shape}], F32 [${this.weights.shape}] was expected`,
          { tensor: name },
        );
      }
      if (tensor !== undefined && tensor.data.length !== this.weights.size) {
        throw new TtError(
          "E_MISMATCH",
          `tensor "${name}" has ${tensor.data.length} elements, [${this.weights.shape}] needs ${this.weights.size}`,
          { tensor: name },
        );
      }
    }
  }

  /** Copies weights and optimizer state from a state that `check` has accepted. */
  load(state: NamedTensors): void {
    this.weights.data.set(state.get(this.name)?.data ?? []);
    const accumulators = state.get(ADAGRAD_PREFIX + this.name);
    this.#accumulators?.dispose();
    this.#accumulators = accumulators && this.#runtime.tensor(this.weights.shape);
    this.#accumulators?.data.set(accumulators?.data ?? []);
  }

  /** Frees weights and optimizer state. */
  dispose(): void {
    this.weights.dispose();
    this.#accumulators?.dispose();
  }
}
