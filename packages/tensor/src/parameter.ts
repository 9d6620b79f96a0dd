import { TtError } from "./errors.ts";
import type { HostTensor, NamedTensors } from "./named-tensors.ts";
import type { Runtime } from "./runtime.ts";
import { sizeOfShape, type Tensor } from "./tensor.ts";
import { type UpdateRule, updateSlice } from "./update-rule.ts";

/** Prefix of the accumulators' names in a state, by the rule that keeps them. */
const STATE_PREFIXES = { adagrad: "adagrad.", rowWiseAdagrad: "rowWiseAdagrad." } as const;

/** A rule that keeps accumulators. */
type StatefulKind = keyof typeof STATE_PREFIXES;

const STATEFUL_KINDS = Object.keys(STATE_PREFIXES) as StatefulKind[];

/** Options of `Parameter`. */
export interface ParameterOptions {
  /** Whether to allocate it as an embedding table, which may be too large for the heap: see `Runtime.table`. */
  readonly table?: boolean;
}

/**
 * Trainable weights under a name, with the optimizer state that belongs to them. The first axis counts slices (table
 * rows, core slices), which can be updated one by one.
 */
export class Parameter {
  /** Name in the state of its owner. */
  readonly name: string;
  /** The weights. */
  readonly weights: Tensor;
  readonly #allocate: (shape: readonly number[]) => Tensor;
  readonly #accumulators = new Map<StatefulKind, Tensor>();

  /** Allocates zeroed weights. Throws as `Runtime.tensor` does. */
  constructor(runtime: Runtime, name: string, shape: readonly number[], { table = false }: ParameterOptions = {}) {
    this.name = name;
    this.#allocate = (extents) => (table ? runtime.table(extents) : runtime.tensor(extents));
    this.weights = this.#allocate(shape);
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
    let elements = 0;
    for (const { size } of this.#accumulators.values()) elements += size;
    return this.weightBytes + elements * Float32Array.BYTES_PER_ELEMENT;
  }

  /** Names of its entries in a state: the weights, and the optimizer state if there is any. */
  get stateNames(): readonly string[] {
    return [this.name, ...STATEFUL_KINDS.map((kind) => STATE_PREFIXES[kind] + this.name)];
  }

  /** The accumulators that a rule needs, made at the first need; undefined if it needs none. */
  stateFor({ kind }: UpdateRule): Tensor | undefined {
    if (kind === "sgd") return undefined;
    let state = this.#accumulators.get(kind);
    if (state === undefined) {
      state = this.#allocate(this.#stateShape(kind));
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

  /** Forgets the optimizer state. */
  resetState(): void {
    for (const state of this.#accumulators.values()) state.data.fill(0);
  }

  /** Weights and optimizer state by name, as views. */
  entries(): [string, HostTensor][] {
    const states = [...this.#accumulators].map(([kind, state]): [string, HostTensor] => [
      STATE_PREFIXES[kind] + this.name,
      hostView(state),
    ]);
    return [[this.name, hostView(this.weights)], ...states];
  }

  /** Throws `E_MISMATCH` unless a state has the weights, and whatever it has of this parameter in the right shape. */
  check(state: NamedTensors): void {
    if (!state.has(this.name)) throw mismatch(this.name, `the state has no tensor "${this.name}"`);
    checkTensor(state, this.name, this.weights.shape);
    for (const kind of STATEFUL_KINDS) checkTensor(state, STATE_PREFIXES[kind] + this.name, this.#stateShape(kind));
  }

  /** Copies weights and optimizer state from a state that `check` has accepted; without optimizer state there, it is forgotten. */
  load(state: NamedTensors): void {
    const weights = state.get(this.name);
    if (weights !== undefined) this.weights.data.set(weights.data);
    for (const kind of STATEFUL_KINDS) {
      const saved = state.get(STATE_PREFIXES[kind] + this.name);
      if (saved === undefined) {
        this.#accumulators.get(kind)?.dispose();
        this.#accumulators.delete(kind);
      } else {
        const own = this.#accumulators.get(kind) ?? this.#allocate(this.#stateShape(kind));
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

  #stateShape(kind: StatefulKind): readonly number[] {
    return kind === "adagrad" ? this.weights.shape : this.weights.shape.slice(0, 1);
  }
}

function checkTensor(state: NamedTensors, name: string, shape: readonly number[]): void {
  const tensor = state.get(name);
  if (tensor === undefined) return;
  if (tensor.dtype !== "F32" || String(tensor.shape) !== String(shape)) {
    throw mismatch(name, `tensor "${name}" is ${tensor.dtype} [${tensor.shape}], F32 [${shape}] was expected`);
  }
  const size = sizeOfShape(shape);
  if (tensor.data.length !== size) {
    throw mismatch(name, `tensor "${name}" has ${tensor.data.length} elements, [${shape}] needs ${size}`);
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
