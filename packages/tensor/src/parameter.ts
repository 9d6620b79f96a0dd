import type { HostTensor, NamedTensors } from "./named-tensors.ts";
import { ParameterLayout, STATEFUL_KINDS, type StatefulKind } from "./parameter-layout.ts";
import type { Runtime } from "./runtime.ts";
import type { Tensor } from "./tensor.ts";
import { type UpdateRule, updateSlice } from "./update-rule.ts";

/** Options of `Parameter`. */
export interface ParameterOptions {
  /** Whether to allocate it as an embedding table, which may be too large for the heap: see `Runtime.table`. */
  readonly table?: boolean;
}

/** Trainable weights under a name, with the optimizer state that belongs to them, in a runtime's memory. */
export class Parameter extends ParameterLayout {
  /** The weights. */
  readonly weights: Tensor;
  readonly #allocate: (shape: readonly number[]) => Tensor;
  readonly #accumulators = new Map<StatefulKind, Tensor>();

  /** Allocates zeroed weights. Throws as `Runtime.tensor` does. */
  constructor(runtime: Runtime, name: string, shape: readonly number[], { table = false }: ParameterOptions = {}) {
    super(name, shape);
    this.#allocate = (extents) => (table ? runtime.table(extents) : runtime.tensor(extents));
    this.weights = this.#allocate(shape);
  }

  /** Bytes of weights and optimizer state. */
  get bytes(): number {
    let elements = 0;
    for (const { size } of this.#accumulators.values()) elements += size;
    return this.weightBytes + elements * Float32Array.BYTES_PER_ELEMENT;
  }

  /** The accumulators that a rule needs, made at the first need; undefined if it needs none. */
  stateFor({ kind }: UpdateRule): Tensor | undefined {
    if (kind === "sgd") return undefined;
    let state = this.#accumulators.get(kind);
    if (state === undefined) {
      state = this.#allocate(this.stateShape(kind));
      this.#accumulators.set(kind, state);
    }
    return state;
  }

  /** Updates some slices, each once, from their stacked gradients [slices.length, sliceSize]; the others do not change. */
  updateSlices(rule: UpdateRule, slices: Uint32Array, gradients: Tensor): void {
    const state = this.stateFor(rule)?.data;
    const [weights, values, size] = [this.weights.data, gradients.data, this.sliceSize];
    for (const [i, slice] of slices.entries()) updateSlice(rule, weights, slice * size, values, i * size, size, state, slice);
  }

  /** Forgets the optimizer state of some slices. */
  resetState(slices: Uint32Array): void {
    for (const [kind, { data }] of this.#accumulators) {
      const size = kind === "rowWiseAdagrad" ? 1 : this.sliceSize;
      // Adam's mean squares follow all its mean gradients.
      for (let start = 0; start < data.length; start += size * this.shape[0]) {
        for (const slice of slices) data.fill(0, start + slice * size, start + (slice + 1) * size);
      }
    }
  }

  /** Weights and optimizer state by name, as views. */
  entries(): [string, HostTensor][] {
    const states = [...this.#accumulators].map(([kind, state]): [string, HostTensor] => [this.stateName(kind), hostView(state)]);
    return [[this.name, hostView(this.weights)], ...states];
  }

  /** Copies weights and optimizer state from a state that `check` has accepted; without optimizer state there, it is forgotten. */
  load(state: NamedTensors): void {
    const weights = state.get(this.name);
    if (weights !== undefined) this.weights.data.set(weights.data);
    for (const kind of STATEFUL_KINDS) {
      const saved = state.get(this.stateName(kind));
      if (saved === undefined) {
        this.#accumulators.get(kind)?.dispose();
        this.#accumulators.delete(kind);
      } else {
        const own = this.#accumulators.get(kind) ?? this.#allocate(this.stateShape(kind));
        this.#accumulators.set(kind, own);
        own.data.set(saved.data);
      }
    }
  }

  /** Frees weights and optimizer state. */
  dispose(): void {
    this.weights.dispose();
    for (const state of this.#accumulators.values()) state.dispose();
  }
}

function hostView(tensor: Tensor): HostTensor {
  return { dtype: "F32", shape: tensor.shape, data: tensor.data };
}
