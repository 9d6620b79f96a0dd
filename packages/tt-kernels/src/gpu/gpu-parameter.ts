import {
  type HostTensor,
  type NamedTensors,
  ParameterLayout,
  ruleNumbers,
  type StatefulKind,
  TtError,
  type UpdateRule,
  validateUpdateRule,
} from "@tt-rec/tensor";
import type { GpuArray } from "./gpu-array.ts";
import type { KernelSet } from "./kernel-set.ts";
import {
  adagradSource,
  adagradStateSource,
  rowWiseSource,
  rowWiseStateSource,
  sgdSource,
  squaresSource,
} from "./kernel-sources.ts";

/** Slices are numbered in float32. */
const MAX_SLICES = 2 ** 24;

/** The smallest float32 that no device takes for 0: with an eps of 0 an element whose gradient was always 0 would become 0 / 0. */
const LEAST_EPS = 2 ** -126;

/** An array of a parameter: on the device, or on the host until it is needed there. */
type Resident = { readonly host: Float32Array } | { readonly array: GpuArray };

/** Throws `E_OPTION` on a bad rule, and on one that has no kernels for a device. */
export function validateGpuRule(rule: UpdateRule): void {
  validateUpdateRule(rule);
  if (rule.kind === "momentum" || rule.kind === "adam")
    throw new TtError("E_OPTION", `tables on a GPU know the update rules sgd, adagrad and rowWiseAdagrad, not ${rule.kind}`);
}

/** The gradients of the slices that a batch touched, on the device. */
export interface GpuSlices {
  /** Slice numbers in rising order. */
  readonly slices: Uint32Array;
  /** The same on the device [slices, 1]. */
  readonly touched: GpuArray;
  /** Gradients [slices, elements of a slice]. */
  readonly values: GpuArray;
}

/**
 * Trainable weights with their optimizer state, resident on a device. A kernel cannot write what it reads, so an update
 * makes a new array of all slices, in which those that the batch did not touch are copied.
 */
export class GpuParameter extends ParameterLayout {
  readonly #kernels: KernelSet;
  #weights: Resident;
  readonly #states = new Map<StatefulKind, Resident>();

  /** Takes initial weights, which must not change until they are on the device. Throws `E_GPU` if the device does not take the array. */
  constructor(kernels: KernelSet, name: string, shape: readonly number[], initial: Float32Array) {
    super(name, shape);
    const { device } = kernels;
    const slices = shape[0];
    if (slices > MAX_SLICES) {
      throw new TtError("E_GPU", `${name} has ${slices} slices; kernels number them in float32, which is exact to ${MAX_SLICES}`);
    }
    this.#kernels = kernels;
    device.check(name, this.sliceSize, slices);
    this.#weights = { host: initial };
  }

  /** Bytes of weights and optimizer state. */
  get bytes(): number {
    let bytes = this.weightBytes;
    for (const kind of this.#states.keys()) bytes += 4 * this.#stateSize(kind);
    return bytes;
  }

  /** The weights on the device, a slice a row. */
  async weights(): Promise<GpuArray> {
    const array = await this.#onDevice(this.#weights, this.sliceSize);
    this.#weights = { array };
    return array;
  }

  /** Updates the touched slices, each once; without any, only the optimizer state is there afterwards. */
  async update(rule: UpdateRule, gradients: GpuSlices | undefined): Promise<void> {
    if (rule.kind !== "sgd" && !this.#states.has(rule.kind)) {
      this.#states.set(rule.kind, { host: new Float32Array(this.#stateSize(rule.kind)) });
    }
    if (gradients === undefined) return;
    const { touched, values, slices } = gradients;
    const { rate, scale, eps } = ruleNumbers(rule);
    const count = slices.length;
    const weights = await this.weights();
    if (rule.kind === "sgd") {
      this.#replace(weights, await this.#run(sgdSource(), [weights, values, touched, count, rate]));
      return;
    }
    const adagrad = rule.kind === "adagrad";
    const state = adagrad ? await this.#adagradState(gradients, scale) : await this.#rowWiseState(gradients, scale);
    const source = adagrad ? adagradSource() : rowWiseSource();
    this.#replace(weights, await this.#run(source, [weights, state, values, touched, count, rate, Math.max(eps, LEAST_EPS)]));
  }

  /** Weights and optimizer state by name, copied to the host. */
  async entries(): Promise<[string, HostTensor][]> {
    const entries: [string, HostTensor][] = [
      [this.name, { dtype: "F32", shape: this.shape, data: await this.#onHost(this.#weights) }],
    ];
    for (const [kind, state] of this.#states) {
      const shape = this.stateShape(kind);
      entries.push([this.stateName(kind), { dtype: "F32", shape, data: await this.#onHost(state) }]);
    }
    return entries;
  }

  /** Takes weights and optimizer state from a state that `check` has accepted; without optimizer state there, it is forgotten. */
  load(state: NamedTensors): void {
    this.dispose();
    this.#weights = { host: Float32Array.from(state.get(this.name)?.data ?? []) };
    for (const kind of ["adagrad", "rowWiseAdagrad"] as const) {
      const saved = state.get(this.stateName(kind));
      if (saved !== undefined) this.#states.set(kind, { host: Float32Array.from(saved.data) });
    }
  }

  /** Frees what is on the device. */
  dispose(): void {
    for (const resident of [this.#weights, ...this.#states.values()]) if ("array" in resident) resident.array.delete();
    this.#states.clear();
  }

  #stateSize(kind: StatefulKind): number {
    return this.stateShape(kind).reduce((a, b) => a * b, 1);
  }

  async #adagradState({ values, touched, slices }: GpuSlices, scale: number): Promise<GpuArray> {
    const old = await this.#onDevice(this.#states.get("adagrad"), this.sliceSize);
    const array = await this.#run(adagradStateSource(), [old, values, touched, slices.length, scale]);
    old.delete();
    this.#states.set("adagrad", { array });
    return array;
  }

  async #rowWiseState({ values, touched, slices }: GpuSlices, scale: number): Promise<GpuArray> {
    const old = await this.#onDevice(this.#states.get("rowWiseAdagrad"), 1);
    const squares = await this.#kernels.run(squaresSource(this.sliceSize), 1, slices.length, [values, scale]);
    const args = [old, squares, touched, slices.length];
    const array = await this.#kernels.run(rowWiseStateSource(this.sliceSize), 1, this.shape[0], args);
    squares.delete();
    old.delete();
    this.#states.set("rowWiseAdagrad", { array });
    return array;
  }

  #run(source: string, args: readonly (GpuArray | number)[]): Promise<GpuArray> {
    return this.#kernels.run(source, this.sliceSize, this.shape[0], args);
  }

  #replace(old: GpuArray, array: GpuArray): void {
    old.delete();
    this.#weights = { array };
  }

  async #onDevice(resident: Resident | undefined, columns: number): Promise<GpuArray> {
    if (resident !== undefined && "array" in resident) return resident.array;
    return this.#kernels.device.upload(resident?.host ?? new Float32Array(columns * this.shape[0]), columns);
  }

  async #onHost(resident: Resident): Promise<Float32Array> {
    return "host" in resident ? resident.host.slice() : this.#kernels.device.download(resident.array, this.shape[0]);
  }
}
