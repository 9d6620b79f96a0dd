import type { HostTensor, NamedTensors } from "./named-tensors.ts";
import { ParameterLayout, STATEFUL_KINDS, type StatefulKind } from "./parameter-layout.ts";
import type { Tensor } from "./tensor.ts";
import { type UpdateRule, updateSlice } from "./update-rule.ts";

/** Trainable weights with the optimizer state that belongs to them; how the weights are held is left to the class that extends it. */
export abstract class StatefulParameter extends ParameterLayout {
  readonly #allocate: (shape: readonly number[]) => Tensor;
  readonly #accumulators = new Map<StatefulKind, Tensor>();

  /** `allocate` makes zeroed accumulators. */
  constructor(name: string, shape: readonly number[], allocate: (shape: readonly number[]) => Tensor) {
    super(name, shape);
    this.#allocate = allocate;
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

  /** Updates the copy [sliceSize] of a slice, in place, from its gradient [sliceSize], with the optimizer state of that slice. */
  updateCopy(rule: UpdateRule, slice: number, copy: Float32Array, gradient: Float32Array): void {
    const state = this.stateFor(rule)?.data;
    if (state === undefined || rule.kind === "rowWiseAdagrad") {
      updateSlice(rule, copy, 0, gradient, 0, copy.length, state, slice);
      return;
    }
    // Adam's mean squares follow all its mean gradients, those of the copy its own.
    const parts: Float32Array[] = [];
    const stride = copy.length * this.shape[0];
    for (let start = slice * copy.length; start < state.length; start += stride) {
      parts.push(state.subarray(start, start + copy.length));
    }
    const own = Float32Array.from(parts.flatMap((part) => [...part]));
    updateSlice(rule, copy, 0, gradient, 0, copy.length, own, 0);
    for (const [i, part] of parts.entries()) part.set(own.subarray(i * copy.length, (i + 1) * copy.length));
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

  /** The optimizer state by name, as views. */
  entries(): [string, HostTensor][] {
    return [...this.#accumulators].map(([kind, state]) => [this.stateName(kind), hostView(state)]);
  }

  /** Copies the optimizer state from a state that `check` has accepted; without any there, it is forgotten. */
  load(state: NamedTensors): void {
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

  /** Frees the optimizer state. */
  dispose(): void {
    for (const state of this.#accumulators.values()) state.dispose();
  }
}

/** A tensor as a state shows it. */
export function hostView(tensor: Tensor): HostTensor {
  return { dtype: "F32", shape: tensor.shape, data: tensor.data };
}
