import { denseWidth, idColumnKinds, type LogSchema } from "../log/log-schema.ts";
import type { RowBlock } from "../log/row-block.ts";

/** Puts blocks of any size together into blocks of `rowsPerBatch` rows, the last one shorter. Each holds until the next is asked for. */
export async function* cutBatches(
  blocks: AsyncIterable<RowBlock>,
  schema: LogSchema,
  rowsPerBatch: number,
): AsyncGenerator<RowBlock> {
  const batch = new BatchRoom(schema, rowsPerBatch);
  for await (const block of blocks) {
    for (let row = 0; row < block.rows; ) {
      const count = Math.min(rowsPerBatch - batch.rows, block.rows - row);
      batch.append(block, row, row + count);
      row += count;
      if (batch.rows < rowsPerBatch) continue;
      yield batch.block();
      batch.rows = 0;
    }
  }
  if (batch.rows > 0) yield batch.block();
}

class BatchRoom {
  rows = 0;
  readonly #labels: Uint8Array;
  readonly #dense: Float32Array;
  readonly #width: number;
  readonly #ids: { words: Uint32Array; readonly offsets: Uint32Array | undefined }[];

  constructor(schema: LogSchema, capacity: number) {
    this.#width = denseWidth(schema);
    this.#labels = new Uint8Array(capacity);
    this.#dense = new Float32Array(capacity * this.#width);
    this.#ids = idColumnKinds(schema).map(({ list }) => ({
      words: new Uint32Array(capacity),
      offsets: list ? new Uint32Array(capacity + 1) : undefined,
    }));
  }

  append({ labels, dense, ids }: RowBlock, from: number, to: number): void {
    this.#labels.set(labels.subarray(from, to), this.rows);
    this.#dense.set(dense.subarray(from * this.#width, to * this.#width), this.rows * this.#width);
    for (const [column, room] of this.#ids.entries()) {
      const { words, offsets } = ids[column];
      if (room.offsets === undefined) {
        room.words.set(words.subarray(from, to), this.rows);
        continue;
      }
      if (offsets === undefined) throw new Error(`list column ${column} came without offsets`);
      const filled = room.offsets[this.rows];
      const [begin, end] = [offsets[from], offsets[to]];
      if (filled + end - begin > room.words.length) {
        const larger = new Uint32Array(2 * (filled + end - begin));
        larger.set(room.words.subarray(0, filled));
        room.words = larger;
      }
      room.words.set(words.subarray(begin, end), filled);
      for (let row = from; row < to; row++) room.offsets[this.rows + row - from + 1] = filled + offsets[row + 1] - begin;
    }
    this.rows += to - from;
  }

  block(): RowBlock {
    const { rows } = this;
    return {
      rows,
      labels: this.#labels.subarray(0, rows),
      dense: this.#dense.subarray(0, rows * this.#width),
      ids: this.#ids.map(({ words, offsets }) => {
        if (offsets === undefined) return { words: words.subarray(0, rows) };
        return { words: words.subarray(0, offsets[rows]), offsets: offsets.subarray(0, rows + 1) };
      }),
    };
  }
}
