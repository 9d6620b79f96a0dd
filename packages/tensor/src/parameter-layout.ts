import { TtError } from "./errors.ts";
import type { HostTensor, NamedTensors } from "./named-tensors.ts";
import { sizeOfShape } from "./tensor.ts";
import type { UpdateRule } from "./update-rule.ts";

/** A rule that keeps accumulators. */
export type StatefulKind = Exclude<UpdateRule["kind"], "sgd">;

/** Prefix of the accumulators' names in a state, by the rule that keeps them. */
const STATE_PREFIXES: Readonly<Record<StatefulKind, string>> = {
  adagrad: "adagrad.",
  rowWiseAdagrad: "rowWiseAdagrad.",
  momentum: "momentum.",
  adam: "adam.",
};

/** The rules that keep accumulators. */
export const STATEFUL_KINDS: readonly StatefulKind[] = ["adagrad", "rowWiseAdagrad", "momentum", "adam"];

/** Name, element type and shape of a tensor in a state. */
export interface TensorLayout extends Pick<HostTensor, "dtype" | "shape"> {
  /** Name in the state. */
  readonly name: string;
}

/** Name and shape of trainable weights, and of the optimizer state that may belong to them, wherever the numbers live. */
export class ParameterLayout {
  /** Name in the state of its owner. */
  readonly name: string;
  /** Extents of the weights; the first axis counts slices (table rows, core slices), which can be updated one by one. */
  readonly shape: readonly number[];
  /** Elements of one slice. */
  readonly sliceSize: number;

  constructor(name: string, shape: readonly number[]) {
    this.name = name;
    this.shape = shape;
    this.sliceSize = shape.slice(1).reduce((a, b) => a * b, 1);
  }

  /** Bytes of the weights alone. */
  get weightBytes(): number {
    return sizeOfShape(this.shape) * Float32Array.BYTES_PER_ELEMENT;
  }

  /** The tensors of a state that hold the weights. */
  get weightTensors(): readonly TensorLayout[] {
    return [{ name: this.name, dtype: "F32", shape: this.shape }];
  }

  /** Names of its entries in a state: the weights, and the optimizer state if there is any. */
  get stateNames(): readonly string[] {
    return [...this.weightTensors.map(({ name }) => name), ...STATEFUL_KINDS.map((kind) => this.stateName(kind))];
  }

  /** Name of the accumulators of a rule in a state. */
  stateName(kind: StatefulKind): string {
    return STATE_PREFIXES[kind] + this.name;
  }

  /** Extents of the accumulators of a rule: one an element, two an element for Adam, or one a slice. */
  stateShape(kind: StatefulKind): readonly number[] {
    if (kind === "rowWiseAdagrad") return this.shape.slice(0, 1);
    return kind === "adam" ? [2, ...this.shape] : this.shape;
  }

  /** Throws `E_MISMATCH` unless a state has the weights, and whatever it has of this parameter in the right shape. */
  check(state: NamedTensors): void {
    for (const tensor of this.weightTensors) {
      if (!state.has(tensor.name)) throw mismatch(tensor.name, `the state has no tensor "${tensor.name}"`);
      checkTensor(state, tensor);
    }
    for (const kind of STATEFUL_KINDS) {
      checkTensor(state, { name: this.stateName(kind), dtype: "F32", shape: this.stateShape(kind) });
    }
  }
}

/** Throws `E_MISMATCH` unless a state holds all of these parameters and nothing else. */
export function checkState(parameters: readonly ParameterLayout[], state: NamedTensors): void {
  for (const parameter of parameters) parameter.check(state);
  const known = new Set(parameters.flatMap(({ stateNames }) => stateNames));
  for (const name of state.keys()) {
    if (!known.has(name)) throw mismatch(name, `the state has the unknown tensor "${name}"`);
  }
}

function checkTensor(state: NamedTensors, { name, dtype, shape }: TensorLayout): void {
  const tensor = state.get(name);
  if (tensor === undefined) return;
  if (tensor.dtype !== dtype || String(tensor.shape) !== String(shape)) {
    throw mismatch(name, `tensor "${name}" is ${tensor.dtype} [${tensor.shape}], ${dtype} [${shape}] was expected`);
  }
  const size = sizeOfShape(shape);
  if (tensor.data.length !== size) {
    throw mismatch(name, `tensor "${name}" has ${tensor.data.length} elements, [${shape}] needs ${size}`);
  }
}

function mismatch(tensor: string, message: string): TtError {
  return new TtError("E_MISMATCH", message, { tensor });
}
