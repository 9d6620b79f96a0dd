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

  /** Makes the cache hold exactly these distinct ids; their rows are replaced by `fill`. Returns how many ids were dropped. */
  assign(ids: Uint32Array): number {
    const before = this.#index;
    this.#index = new IdIndex(this.capacity);
    for (const id of ids) this.#index.add(id);
    return before.ids.reduce((dropped, id) => dropped + (this.#index.numberOf(id) < 0 ? 1 : 0), 0);
  }

  /** Overwrites the rows of all held ids, in slot order, from `values` [size, D], and forgets their optimizer state. */
  fill(values: Float32Array): void {
    this.rows.replaceRows(
      Uint32Array.from({ length: this.size }, (_, slot) => slot),
      values,
    );
  }
}
