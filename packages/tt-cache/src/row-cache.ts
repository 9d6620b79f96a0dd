import { IdIndex, type Runtime } from "@tt-rec/tensor";
import { DenseEmbeddingBag, type Pooling } from "@tt-rec/tt-kernels";

/** Name of the cached rows among the parameters of their bag, in states and gradients. */
export const CACHED_ROWS = "cache.rows";

/** Rows of a table kept uncompressed: a map from row id to slot, and a dense bag over the slots that trains them. */
export class RowCache {
  /** Most rows it can hold. */
  readonly capacity: number;
  /** The rows by slot [capacity, D]; slots beyond `size` are zero and never looked up. */
  readonly rows: DenseEmbeddingBag;
  #index: IdIndex;

  constructor(runtime: Runtime, capacity: number, embeddingDim: number, pooling: Pooling) {
    this.capacity = capacity;
    this.rows = new DenseEmbeddingBag(runtime, { numEmbeddings: capacity, embeddingDim, pooling, name: CACHED_ROWS });
    this.#index = new IdIndex(capacity);
  }

  /** Rows held. */
  get size(): number {
    return this.#index.size;
  }

  /** Bytes of rows, their optimizer state and the map. */
  get bytes(): number {
    return this.rows.bytes + this.#index.bytes;
  }

  /** Row ids by slot, as a view. */
  get ids(): Uint32Array {
    return this.#index.ids;
  }

  /** The slot of a row id, or −1 if the row is not cached. */
  slotOf(id: number): number {
    return this.#index.numberOf(id);
  }

  /** Makes the cache hold exactly these distinct ids, in this order of slots. Returns how many ids were dropped. */
  assign(ids: Uint32Array): number {
    const before = this.#index;
    this.#index = new IdIndex(this.capacity);
    for (const id of ids) this.#index.add(id);
    return before.ids.reduce((dropped, id) => dropped + (this.#index.numberOf(id) < 0 ? 1 : 0), 0);
  }

  /**
   * Makes the cache hold exactly these distinct ids, no fewer than it holds now. Those that it holds keep their slots; the others
   * take the free ones, in their order. Returns the ids that entered, their slots, and how many were dropped.
   */
  exchange(ids: Uint32Array): { readonly entered: Uint32Array; readonly slots: Uint32Array; readonly dropped: number } {
    const wanted = new Set(ids);
    const entered = ids.filter((id) => this.slotOf(id) < 0);
    const slots = new Uint32Array(entered.length);
    const bySlot = new Uint32Array(ids.length);
    bySlot.set(this.ids);
    let next = 0;
    for (let slot = 0; slot < ids.length; slot++) {
      if (slot < this.size && wanted.has(bySlot[slot])) continue;
      slots[next] = slot;
      bySlot[slot] = entered[next++];
    }
    return { entered, slots, dropped: this.assign(bySlot) };
  }

  /** Overwrites the rows of some slots, one after another from `values` [slots.length, D], and forgets their optimizer state. */
  fill(slots: Uint32Array, values: Float32Array): void {
    this.rows.replaceRows(slots, values);
  }
}
