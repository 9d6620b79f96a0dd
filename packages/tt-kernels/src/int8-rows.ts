import {
  type HostTensor,
  type NamedTensors,
  type Parameter,
  type Runtime,
  StatefulParameter,
  type Tensor,
  type TensorLayout,
  type UpdateRule,
} from "@tt-rec/tensor";
import { dequantizeRow, roundRow } from "./reference/int8-row.ts";

/** Trainable rows that are laid over those of a table: floats, or bytes with a scale a row. */
export type LaidRows = Parameter | Int8Rows;

/** Gives for each of some slots what the rounding of its row in this step's update is drawn from: 32 bits that are that row's and step's own. */
export type RoundingKeys = (slots: Uint32Array) => Uint32Array;

/**
 * Trainable rows [·, D] that are laid over a table, held as bytes with a scale a row: an element is its byte, −127 to 127, times the
 * scale. An update rounds a row anew, stochastically: right in the mean. Optimizer state is that of a `Parameter`.
 */
export class Int8Rows extends StatefulParameter {
  /** What roundings are drawn from. */
  readonly keysOf: RoundingKeys;
  readonly #bytes: Tensor;
  readonly #scales: Tensor;

  /** Allocates `count` zeroed rows. */
  constructor(runtime: Runtime, name: string, [count, dim]: readonly [count: number, dim: number], keysOf: RoundingKeys) {
    super(name, [count, dim], (extents) => runtime.tensor(extents));
    this.keysOf = keysOf;
    this.#bytes = runtime.tensor([Math.ceil((count * dim) / 4)]);
    this.#scales = runtime.tensor([count]);
  }

  /** Bytes of the rows and their scales. */
  override get weightBytes(): number {
    const [count, dim] = this.shape;
    return count * (dim + 4);
  }

  override get weightTensors(): readonly TensorLayout[] {
    return [
      { name: this.name, dtype: "I8", shape: this.shape },
      { name: `${this.name}.scale`, dtype: "F32", shape: this.shape.slice(0, 1) },
    ];
  }

  /** Where rows and scales lie in the runtime's memory. */
  get offsets(): readonly [bytes: number, scales: number] {
    return [this.#bytes.byteOffset, this.#scales.byteOffset];
  }

  /** The bytes of the rows, as a view that dies when the heap grows. */
  get rows(): Int8Array {
    const { memory, byteOffset } = this.#bytes;
    const [count, dim] = this.shape;
    return new Int8Array(memory.buffer, byteOffset, count * dim);
  }

  /** The row in a slot, as floats. */
  readRow(slot: number): Float32Array {
    return dequantizeRow(this.#rowAt(slot), this.#scales.data[slot]);
  }

  /** Updates some rows, each once, from their stacked gradients [slots.length, D], in plain TypeScript. */
  updateSlices(rule: UpdateRule, slots: Uint32Array, gradients: Tensor): void {
    const [values, dim] = [gradients.data, this.sliceSize];
    const rows = new Float32Array(slots.length * dim);
    for (const [i, slot] of slots.entries()) {
      const row = this.readRow(slot);
      this.updateCopy(rule, slot, row, values.subarray(i * dim, (i + 1) * dim));
      rows.set(row, i * dim);
    }
    this.writeRows(slots, rows);
  }

  /** Rounds some rows [slots.length, D] into their slots; what that is drawn from may be given. */
  writeRows(slots: Uint32Array, values: Float32Array, keys: Uint32Array = this.keysOf(slots)): void {
    const dim = this.sliceSize;
    for (const [i, slot] of slots.entries()) {
      this.#scales.data[slot] = roundRow(values.subarray(i * dim, (i + 1) * dim), keys[i], this.#rowAt(slot));
    }
  }

  override entries(): [string, HostTensor][] {
    const [rows, scales] = this.weightTensors;
    return [[rows.name, { ...rows, data: this.rows }], [scales.name, { ...scales, data: this.#scales.data }], ...super.entries()];
  }

  override load(state: NamedTensors): void {
    const [rows, scales] = this.weightTensors.map(({ name }) => state.get(name)?.data);
    if (rows !== undefined) this.rows.set(rows);
    if (scales !== undefined) this.#scales.data.set(scales);
    super.load(state);
  }

  override dispose(): void {
    this.#bytes.dispose();
    this.#scales.dispose();
    super.dispose();
  }

  #rowAt(slot: number): Int8Array {
    return this.rows.subarray(slot * this.sliceSize, (slot + 1) * this.sliceSize);
  }
}
