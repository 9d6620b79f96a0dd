import {
  type HostTensor,
  type NamedTensors,
  type Runtime,
  type Tensor,
  TtError,
  type UpdateRule,
  updateRange,
} from "@tt-rec/tensor";
import type { SliceGradient } from "./embedding-bag.ts";

const ADAGRAD_PREFIX = "adagrad.";

/** A named parameter made of slices along its first axis, with the optimizer state that belongs to it. */
export class Parameter {
  /** Name in the state of its bag. */
  readonly name: string;
  /** The weights; the first axis counts the slices. */
  readonly weights: Tensor;
  readonly #runtime: Runtime;
  #accumulators: Tensor | undefined;

  constructor(runtime: Runtime, name: string, shape: readonly number[]) {
    this.#runtime = runtime;
    this.name = name;
    this.weights = runtime.tensor(shape);
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

  /** Updates the touched slices, each once; untouched ones keep weights and state. */
  apply({ slices, values }: SliceGradient, rule: UpdateRule): void {
    if (rule.kind === "adagrad") this.#accumulators ??= this.#runtime.tensor(this.weights.shape);
    const weights = this.weights.data;
    const state = this.#accumulators?.data;
    const gradient = values.data;
    const size = this.sliceSize;
    for (let i = 0; i < slices.length; i++) updateRange(rule, weights, slices[i] * size, gradient, i * size, size, state);
  }

  /** Forgets the optimizer state. */
  resetState(): void {
    this.#accumulators?.data.fill(0);
  }

  /** The entries of this parameter in the state of its bag. */
  entries(): [string, HostTensor][] {
    const weights: [string, HostTensor] = [this.name, hostView(this.weights)];
    return this.#accumulators === undefined ? [weights] : [weights, [ADAGRAD_PREFIX + this.name, hostView(this.#accumulators)]];
  }

  /** Copies its entries from a state that `checkState` has accepted. */
  load(state: NamedTensors): void {
    this.weights.data.set(state.get(this.name)?.data ?? []);
    const accumulators = state.get(ADAGRAD_PREFIX + this.name);
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
}

/** Throws `E_MISMATCH` unless a state has exactly the entries that these parameters can load. */
export function checkState(parameters: readonly Parameter[], state: NamedTensors): void {
  const known = new Map(
    parameters.flatMap(({ name, weights }) => [[name, weights.shape] as const, [ADAGRAD_PREFIX + name, weights.shape] as const]),
  );
  for (const { name } of parameters) {
    if (!state.has(name)) throw new TtError("E_MISMATCH", `the state has no tensor "${name}"`, { tensor: name });
  }
  for (const [name, { dtype, shape, data }] of state) {
    const expected = known.get(name);
    if (expected === undefined) throw new TtError("E_MISMATCH", `the state has the unknown tensor "${name}"`, { tensor: name });
    if (dtype !== "F32" || shape.length !== expected.length || shape.some((extent, axis) => extent !== expected[axis])) {
      throw new TtError("E_MISMATCH", `tensor "${name}" is ${dtype} [${shape}], F32 [${expected}] was expected`, {
        tensor: name,
      });
    }
    const size = expected.reduce((a, b) => a * b, 1);
    if (data.length !== size) {
      throw new TtError("E_MISMATCH", `tensor "${name}" has ${data.length} elements, [${expected}] needs ${size}`, {
        tensor: name,
      });
    }
  }
}

function hostView(tensor: Tensor): HostTensor {
  return { dtype: "F32", shape: tensor.shape, data: tensor.data };
}
