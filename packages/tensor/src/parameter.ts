import type { HostTensor, NamedTensors } from "./named-tensors.ts";
import type { Runtime } from "./runtime.ts";
import { hostView, StatefulParameter } from "./stateful-parameter.ts";
import type { Tensor } from "./tensor.ts";
import { type UpdateRule, updateSlice } from "./update-rule.ts";

/** Options of `Parameter`. */
export interface ParameterOptions {
  /** Whether to allocate it as an embedding table, which may be too large for the heap: see `Runtime.table`. */
  readonly table?: boolean;
}

/** Trainable weights under a name, with the optimizer state that belongs to them, in a runtime's memory. */
export class Parameter extends StatefulParameter {
  /** The weights. */
  readonly weights: Tensor;

  /** Allocates zeroed weights. Throws as `Runtime.tensor` does. */
  constructor(runtime: Runtime, name: string, shape: readonly number[], { table = false }: ParameterOptions = {}) {
    const allocate = (extents: readonly number[]): Tensor => (table ? runtime.table(extents) : runtime.tensor(extents));
    super(name, shape, allocate);
    this.weights = allocate(shape);
  }

  /** Updates some slices, each once, from their stacked gradients [slices.length, sliceSize]; the others do not change. */
  updateSlices(rule: UpdateRule, slices: Uint32Array, gradients: Tensor): void {
    const state = this.stateFor(rule)?.data;
    const [weights, values, size] = [this.weights.data, gradients.data, this.sliceSize];
    for (const [i, slice] of slices.entries()) updateSlice(rule, weights, slice * size, values, i * size, size, state, slice);
  }

  /** Weights and optimizer state by name, as views. */
  override entries(): [string, HostTensor][] {
    return [[this.name, hostView(this.weights)], ...super.entries()];
  }

  /** Copies weights and optimizer state from a state that `check` has accepted; without optimizer state there, it is forgotten. */
  override load(state: NamedTensors): void {
    const weights = state.get(this.name);
    if (weights !== undefined) this.weights.data.set(weights.data);
    super.load(state);
  }

  /** Frees weights and optimizer state. */
  override dispose(): void {
    this.weights.dispose();
    super.dispose();
  }
}
