import type { DatasetBatch, IdBags } from "./batch.ts";
import { type LoadedWindow, ROW_BITS, ROW_MASK } from "./read-window.ts";

/** A batch that is all in one record batch, as views of it; only the labels are converted. */
export function batchView({ blocks: [block] }: LoadedWindow, from: number, size: number, width: number): DatasetBatch {
  return {
    size,
    labels: Float32Array.from(block.labels.subarray(from, from + size)),
    dense: block.dense.subarray(from * width, (from + size) * width),
    bags: block.ids.map(({ words, offsets }): IdBags => {
      if (offsets === undefined) return { indices: words.subarray(from, from + size) };
      const own = offsets.slice(from, from + size + 1);
      const [begin, end] = [own[0], own[size]];
      for (let i = 0; i <= size; i++) own[i] -= begin;
      return { indices: words.subarray(begin, end), offsets: own };
    }),
  };
}

/** A batch that is put together from rows of several places. */
export class BatchRoom {
  /** Rows so far. */
  size = 0;
  readonly #width: number;
  readonly #labels: Float32Array;
  readonly #dense: Float32Array;
  readonly #bags: { indices: Uint32Array; readonly offsets: Uint32Array | undefined }[];

  constructor(capacity: number, width: number, lists: readonly boolean[]) {
    this.#width = width;
    this.#labels = new Float32Array(capacity);
    this.#dense = new Float32Array(capacity * width);
    const indices = new Uint32Array(capacity * lists.length);
    this.#bags = lists.map((list, table) => ({
      indices: indices.subarray(table * capacity, (table + 1) * capacity),
      offsets: list ? new Uint32Array(capacity + 1) : undefined,
    }));
  }

  /** Copies some rows of a window, counted as it hands them out. */
  append(window: LoadedWindow, from: number, count: number): void {
    const places = window.order?.subarray(from, from + count) ?? Uint32Array.from({ length: count }, (_, i) => from + i);
    const { blocks } = window;
    const width = this.#width;
    for (let i = 0; i < count; i++) {
      const row = places[i] & ROW_MASK;
      const { labels, dense } = blocks[places[i] >>> ROW_BITS];
      this.#labels[this.size + i] = labels[row];
      for (let at = (this.size + i) * width, source = row * width, end = source + width; source < end; )
        this.#dense[at++] = dense[source++];
    }
    for (const [table, bag] of this.#bags.entries()) {
      if (bag.offsets !== undefined) {
        this.#appendLists(window, table, places);
        continue;
      }
      const words = blocks.map(({ ids }) => ids[table].words);
      const { indices } = bag;
      for (let i = 0; i < count; i++) indices[this.size + i] = words[places[i] >>> ROW_BITS][places[i] & ROW_MASK];
    }
    this.size += count;
  }

  /** The rows so far, as a batch. */
  batch(): DatasetBatch {
    const { size } = this;
    return {
      size,
      labels: this.#labels.subarray(0, size),
      dense: this.#dense.subarray(0, size * this.#width),
      bags: this.#bags.map(({ indices, offsets }): IdBags => {
        if (offsets === undefined) return { indices: indices.subarray(0, size) };
        return { indices: indices.subarray(0, offsets[size]), offsets: offsets.subarray(0, size + 1) };
      }),
    };
  }

  #appendLists({ blocks }: LoadedWindow, table: number, places: Uint32Array): void {
    const bag = this.#bags[table];
    const offsets = bag.offsets as Uint32Array;
    for (const [i, place] of places.entries()) {
      const { words, offsets: source } = blocks[place >>> ROW_BITS].ids[table];
      const row = place & ROW_MASK;
      const [begin, end] = [source?.[row] ?? 0, source?.[row + 1] ?? 0];
      const at = offsets[this.size + i];
      const filled = at + end - begin;
      if (filled > bag.indices.length) {
        const larger = new Uint32Array(2 * filled);
        larger.set(bag.indices.subarray(0, at));
        bag.indices = larger;
      }
      bag.indices.set(words.subarray(begin, end), at);
      offsets[this.size + i + 1] = filled;
    }
  }
}
