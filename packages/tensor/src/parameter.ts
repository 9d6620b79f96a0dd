import { TtError } from "./errors.ts";
import type { HostTensor, NamedTensors } from "./named-tensors.ts";
import type { Runtime } from "./runtime.ts";
import type { Tensor } from "./tensor.ts";
import { type UpdateRule, updateRange } from "./update-rule.ts";

const ADAGRAD_PREFIX = "adagrad.";

/**
 * Trainable weights under a name, with the optimizer state that belongs to them. The first axis counts slices (table
 * rows, core slices), which can be updated one by one.
 */
export class Parameter {
  /** Name in the state of its owner. */
  readonly name: string;
  /** The weights. */
  readonly weights: Tensor;
  readonly #runtime: Runtime;
  #accumulators: Tensor | undefined;

  /** Allocates zeroed weights. Throws as `Runtime.tensor` does. */
  constructor(runtime: Runtime, name: string, shape: readonly number[]) {
    this.name = name;
    this.weights = runtime.tensor(shape);
    this.#runtime = runtime;
  }

  /** Elements of one slice. */
  get sliceSize(): number {
    return this.weights.shape.slice(1).reduce((a, b) => a * b, 1);
  }

  /** Bytes of the weights alone. */
  get weightBytes(): number {
    return this.weights.size * Float32Array.BYTES_PER_ELEMENT;
  }

  /** Bytes of weights and optimizer state. */
  get bytes(): number {
    return this.weightBytes + (this.#accumulators?.size ?? 0) * Float32Array.BYTES_PER_ELEMENT;
  }

  /** Names of its entries in a state: the weights, and the optimizer state if there is any. */
  get stateNames(): readonly [string, string] {
    return [this.name, ADAGRAD_PREFIX + this.name];
  }

  /** Updates all weights from a gradient of their shape. */
  update(rule: UpdateRule, gradient: Tensor): void {
    updateRange(rule, this.weights.data, 0, gradient.data, 0, this.weights.size, this.#stateFor(rule));
  }

  /** Updates some slices, each once, from their stacked gradients [slices.length, sliceSize]; the others do not change. */
  updateSlices(rule: UpdateRule, slices: Uint32Array, gradients: Tensor): void {
    const state = this.#stateFor(rule);
    const [weights, values, size] = [this.weights.data, gradients.data, this.sliceSize];
    for (let i = 0; i < slices.length; i++) updateRange(rule, weights, slices[i] * size, values, i * size, size, state);
  }

  /** Forgets the optimizer state. */
  resetState(): void {
    this.#accumulators?.data.fill(0);
  }

  /** Weights and optimizer state by name, as views. */
  entries(): [string, HostTensor][] {
    const [weights, accumulators] = this.stateNames;
    const entries: [string, HostTensor][] = [[weights, hostView(this.weights)]];
    if (this.#accumulators !== undefined) entries.push([accumulators, hostView(this.#accumulators)]);
    return entries;
  }

  /** Throws `E_MISMATCH` unless a state has the weights, and whatever it has of this parameter in the right shape. */
  check(state: NamedTensors): void {
    if (!state.has(this.name)) throw mismatch(this.name, `the state has no tensor "${this.name}"`);
    const { shape, size } = this.weights;
    for (const name of this.stateNames) {
      const tensor = state.get(name);
      if (tensor === undefined) continue;
      if (tensor.dtype !== "F32" || String(tensor.shape) !== String(shape)) {
        throw mismatch(name, `tensor "${name}" is ${tensor.dtype} [${tensor.shape}], F32 [${shape}] was expected`);
      }
      if (tensor.data.length !== size) {
        throw mismatch(name, `tensor "${name}" has ${tensor.data.length} elements, [${shape}] needs ${size}`);
      }
    }
  }

  /** Copies weights and optimizer state from a state that `check` has accepted; without optimizer state there, it is forgotten. */
  load(state: NamedTensors): void {
    const [weights, accumulators] = this.stateNames.map((name) => state.get(name));
    if (weights !== undefined) this.weights.data.set(weights.data);
    if (accumulators === undefined) {
      this.#accumulators?.dispose();
      this.#accumulators = undefined;
    } else {
      this.#accumulators ??= this.#runtime.tensor(this.weights.shape);
      this.#accumulators.data.set(accumulators.data);
    }
  }

  /** Frees weights and optimizer state. */
  dispose(): void {
    this.weights.dispose();
    this.#accumulators?.dispose();
  }

  /** The accumulators that a rule needs, made at the first need. */
  #stateFor(rule: UpdateRule): Float32Array | undefined {
    if (rule.kind === "adagrad") this.#accumulators ??= this.#runtime.tensor(this.weights.shape);
    return this.#accumulators?.data;
  }
}

/** Throws `E_MISMATCH` unless a state holds all of these parameters and nothing else. */
export function checkState(parameters: readonly Parameter[], state: NamedTensors): void {
  for (const parameter of parameters) parameter.check(state);
  const known = new Set(parameters.flatMap(({ stateNames }) => stateNames));
  for (const name of state.keys()) {
    if (!known.has(name)) throw mismatch(name, `the state has the unknown tensor "${name}"`);
  }
}

function mismatch(tensor: string, message: string): TtError {
  return new TtError("E_MISMATCH", message, { tensor });
}

function hostView(tensor: Tensor): HostTensor {
  return { dtype: "F32", shape: tensor.shape, data: tensor.data };
}
