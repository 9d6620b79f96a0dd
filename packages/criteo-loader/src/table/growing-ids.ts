import type { IdColumnKind } from "../log/log-schema.ts";
import type { IdColumn } from "../log/row-block.ts";

/** The ids of one column of a block, which grow with the rows. */
export class GrowingIds {
  readonly #words: 1 | 2;
  readonly #offsets: Uint32Array | undefined;
  #values: Uint32Array;
  #count = 0;

  constructor({ words, list }: IdColumnKind, rows: number) {
    this.#words = words;
    this.#values = new Uint32Array(rows * words);
    this.#offsets = list ? new Uint32Array(rows + 1) : undefined;
  }

  /** Appends an id to the row that is being filled. */
  push(low: number, high: number): void {
    const at = this.#count * this.#words;
    if (at === this.#values.length) {
      const larger = new Uint32Array(2 * at);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[at] = low;
    if (this.#words === 2) this.#values[at + 1] = high;
    this.#count++;
  }

  /** Ends a row, so that there are `rows` of them. */
  endRow(rows: number): void {
    if (this.#offsets !== undefined) this.#offsets[rows] = this.#count;
  }

  /** Forgets the ids behind the first `rows` rows. */
  dropRow(rows: number): void {
    this.#count = this.#offsets === undefined ? rows : this.#offsets[rows];
  }

  /** The ids of all rows, as views that hold until the next id is appended; the column starts anew. */
  take(rows: number): IdColumn {
    const words = this.#values.subarray(0, this.#count * this.#words);
    this.#count = 0;
    return { words, ...(this.#offsets !== undefined && { offsets: this.#offsets.subarray(0, rows + 1) }) };
  }
}
