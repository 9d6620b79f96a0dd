import type { RowBlock } from "../log/row-block.ts";
import type { DatasetBatch, IdBags } from "./batch.ts";

/** A batch that is all in one block, as views of it; only the labels are converted. */
export function batchView(block: RowBlock, from: number, size: number, width: number): DatasetBatch {
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

  /** Copies some rows of a block. */
  append({ labels, dense, ids }: RowBlock, from: number, count: number): void {
    this.#labels.set(labels.subarray(from, from + count), this.size);
    this.#dense.set(dense.subarray(from * this.#width, (from + count) * this.#width), this.size * this.#width);
    for (const [table, bag] of this.#bags.entries()) {
      const { words, offsets } = ids[table];
      if (bag.offsets === undefined || offsets === undefined) {
        bag.indices.set(words.subarray(from, from + count), this.size);
        continue;
      }
      const at = bag.offsets[this.size];
      const filled = at + offsets[from + count] - offsets[from];
      if (filled > bag.indices.length) {
        const larger = new Uint32Array(2 * filled);
        larger.set(bag.indices.subarray(0, at));
        bag.indices = larger;
      }
      bag.indices.set(words.subarray(offsets[from], offsets[from + count]), at);
      for (let i = 1; i <= count; i++) bag.offsets[this.size + i] = at + offsets[from + i] - offsets[from];
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
}
