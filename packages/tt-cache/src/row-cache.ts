import { Parameter, type Runtime } from "@tt-rec/tensor";
import { Int8Rows, type LaidRows, type Lookup, NO_ROW } from "@tt-rec/tt-kernels";
import type { RowStorage } from "@tt-rec/tt-math";
import { roundingKeys } from "./row-storage.ts";
import { type Probed, SlotTable } from "./slot-table.ts";

/** Name of the cached rows among the parameters of their bag, in states and gradients. */
export const CACHED_ROWS = "cache.rows";

/** Rows that left their slots and had been accessed, and how often they were since that was last counted. */
export interface LeftRows {
  readonly ids: Uint32Array;
  readonly accesses: Uint32Array;
}

/** How rows are held, and what roundings are drawn from besides the row's id. */
export interface RowOptions {
  /** As floats or bytes. */
  readonly storage: RowStorage;
  /** Seed of the roundings. */
  readonly seed: number;
  /** Training steps so far. */
  readonly step: () => number;
}

/** Rows of a table kept uncompressed, by slot, and the map from row id to slot. */
export class RowCache {
  /** Most rows it can hold. */
  readonly capacity: number;
  /** The rows by slot [capacity, D]; those of free slots are never looked up. */
  readonly rows: LaidRows;
  readonly #table: SlotTable;
  /** Row id of each slot, or `NO_ROW`. */
  readonly #ids: Uint32Array;
  /** Slots that were ever taken. */
  #extent = 0;
  #size = 0;
  /** Seed of the roundings, which a state brings along. */
  seed: number;
  readonly #step: () => number;

  constructor(runtime: Runtime, capacity: number, embeddingDim: number, { storage, seed, step }: RowOptions) {
    this.capacity = capacity;
    const shape = [capacity, embeddingDim] as const;
    const keysOf = (slots: Uint32Array): Uint32Array => this.#keysOf(slots, 2 * this.#step());
    this.rows =
      storage === "int8" ? new Int8Rows(runtime, CACHED_ROWS, shape, keysOf) : new Parameter(runtime, CACHED_ROWS, shape);
    this.seed = seed;
    this.#step = step;
    this.#table = new SlotTable(runtime, capacity);
    this.#ids = new Uint32Array(capacity).fill(NO_ROW);
  }

  /** Rows held. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of the map, the ids and the counters of accesses: all but the rows and their optimizer state. */
  get mapBytes(): number {
    return this.#table.bytes + this.#ids.byteLength;
  }

  /** Row ids by slot, `NO_ROW` for a free one, as a view. */
  get ids(): Uint32Array {
    return this.#ids.subarray(0, this.#extent);
  }

  /** Accesses of each slot since they were last taken, as a view. */
  get accesses(): Uint32Array {
    return this.#table.accesses.subarray(0, this.#extent);
  }

  /**
   * Tells which positions of a lookup are cached, and counts their accesses if `counts`. Throws `E_INDEX` before that if an id is not
   * below `extent`, which is left out where they are known to be.
   */
  probe(lookup: Lookup, counts: boolean, extent?: number): Probed {
    return this.#table.probe(lookup, counts, extent);
  }

  /** The slots of some ids, `NO_ROW` for those that are not held. */
  slotsOf(ids: Uint32Array): Uint32Array {
    return this.#table.probe({ outputs: ids.length, rows: ids }, false).slots;
  }

  /** Takes the accesses of each slot since they were last taken. */
  takeAllAccesses(): Uint32Array {
    const accesses = this.accesses.slice();
    this.accesses.fill(0);
    return accesses;
  }

  /** Makes the cache hold these ids by slot; `NO_ROW` leaves a slot free. */
  assign(ids: Uint32Array, accesses: Uint32Array): void {
    this.#table.clear();
    this.#ids.fill(NO_ROW);
    this.#ids.set(ids);
    this.#extent = ids.length;
    this.#size = 0;
    this.#table.accesses.set(accesses);
    for (const [slot, id] of ids.entries()) {
      if (id === NO_ROW) continue;
      this.#table.set(id, slot);
      this.#size++;
    }
  }

  /** Gives slots to ids, in their order: each, and the row that had its slot, leaves the place that it had. Returns those. */
  take(slots: Uint32Array, ids: Uint32Array): LeftRows {
    const left = { ids: new Uint32Array(2 * ids.length), accesses: new Uint32Array(2 * ids.length) };
    const [held, accesses] = [this.#ids, this.#table.accesses];
    let size = 0;
    const vacate = (slot: number): void => {
      [left.ids[size], left.accesses[size]] = [held[slot], accesses[slot]];
      if (accesses[slot] > 0) size++;
      accesses[slot] = 0;
      held[slot] = NO_ROW;
      this.#size--;
    };
    for (let i = 0; i < ids.length; i++) {
      const slot = slots[i];
      if (held[slot] !== NO_ROW) {
        this.#table.delete(held[slot]);
        vacate(slot);
      }
      const before = this.#table.set(ids[i], slot);
      if (before !== NO_ROW) vacate(before);
      held[slot] = ids[i];
      this.#extent = Math.max(this.#extent, slot + 1);
      this.#size++;
    }
    return { ids: left.ids.subarray(0, size), accesses: left.accesses.subarray(0, size) };
  }

  /** The row in a slot, as floats. */
  row(slot: number): Float32Array {
    const { rows } = this;
    if ("weights" in rows) return rows.weights.data.subarray(slot * rows.sliceSize, (slot + 1) * rows.sliceSize);
    return rows.readRow(slot);
  }

  /**
   * Overwrites the rows of some slots at the end of a step that is counted already, one after another from `values`
   * [slots.length, D], and forgets their optimizer state.
   */
  fill(slots: Uint32Array, values: Float32Array): void {
    const { rows } = this;
    if ("weights" in rows) {
      const [weights, dim] = [rows.weights.data, rows.sliceSize];
      for (let i = 0; i < slots.length; i++) {
        for (let d = 0; d < dim; d++) weights[slots[i] * dim + d] = values[i * dim + d];
      }
      // Between the occasions of this step's updates and of the next one's.
    } else rows.writeRows(slots, values, this.#keysOf(slots, 2 * this.#step() - 1));
    rows.resetState(slots);
  }

  /** Frees the map; the rows are their bag's. */
  dispose(): void {
    this.#table.dispose();
  }

  #keysOf(slots: Uint32Array, occasion: number): Uint32Array {
    return roundingKeys(this.seed, occasion, slots, this.#ids);
  }
}
