import { Parameter, type Runtime } from "@tt-rec/tensor";
import { type Lookup, NO_ROW } from "@tt-rec/tt-kernels";
import { type Probed, SlotTable } from "./slot-table.ts";

/** Name of the cached rows among the parameters of their bag, in states and gradients. */
export const CACHED_ROWS = "cache.rows";

/** Is told how often a row was accessed. */
type CountAccesses = (id: number, accesses: number) => void;

/** Rows of a table kept uncompressed, by slot, and the map from row id to slot. */
export class RowCache {
  /** Most rows it can hold. */
  readonly capacity: number;
  /** The rows by slot [capacity, D]; those of free slots are never looked up. */
  readonly rows: Parameter;
  readonly #table: SlotTable;
  /** Row id of each slot, or `NO_ROW`. */
  readonly #ids: Uint32Array;
  /** Slots that were ever taken. */
  #extent = 0;
  #size = 0;

  constructor(runtime: Runtime, capacity: number, embeddingDim: number) {
    this.capacity = capacity;
    this.rows = new Parameter(runtime, CACHED_ROWS, [capacity, embeddingDim]);
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

  /** Tells which positions of a lookup are cached, and counts their accesses if `counts`. */
  probe(lookup: Lookup, counts: boolean): Probed {
    return this.#table.probe(lookup, counts);
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

  /** Gives a slot to an id; it and the row that had the slot leave the places that they had, and `count` is told their accesses. */
  take(slot: number, id: number, count: CountAccesses): void {
    this.#free(slot, count);
    const before = this.#table.slotOf(id);
    if (before !== NO_ROW) this.#free(before, count);
    this.#table.set(id, slot);
    this.#ids[slot] = id;
    this.#extent = Math.max(this.#extent, slot + 1);
    this.#size++;
  }

  /** Overwrites the rows of some slots, one after another from `values` [slots.length, D], and forgets their optimizer state. */
  fill(slots: Uint32Array, values: Float32Array): void {
    const rows = this.rows.weights.data;
    const dim = this.rows.sliceSize;
    for (const [i, slot] of slots.entries()) rows.set(values.subarray(i * dim, (i + 1) * dim), slot * dim);
    this.rows.resetState(slots);
  }

  /** Frees the map; the rows are their bag's. */
  dispose(): void {
    this.#table.dispose();
  }

  #free(slot: number, count: CountAccesses): void {
    const id = this.#ids[slot];
    if (id === NO_ROW) return;
    this.#takeAccesses(slot, count);
    this.#table.delete(id);
    this.#ids[slot] = NO_ROW;
    this.#size--;
  }

  #takeAccesses(slot: number, count: CountAccesses): void {
    const { accesses } = this.#table;
    if (accesses[slot] > 0) count(this.#ids[slot], accesses[slot]);
    accesses[slot] = 0;
  }
}
