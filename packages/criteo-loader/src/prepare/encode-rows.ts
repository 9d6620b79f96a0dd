import { TtError } from "@tt-rec/tensor";
import { createRowColumns, type RowColumns } from "../arrow/row-columns.ts";
import type { FilledColumns } from "../arrow/write-arrow-file.ts";
import type { Dictionary } from "../dictionary/dictionary.ts";
import type { LogSchema } from "../log/log-schema.ts";
import type { RowBlock } from "../log/row-block.ts";
import type { LogPass } from "./log-pass.ts";
import type { PreparedWith } from "./prepare-options.ts";

/** Rows [from, to) of a block. */
export interface RowRange {
  /** The block that holds them. */
  readonly block: RowBlock;
  /** First row. */
  readonly from: number;
  /** The row after the last. */
  readonly to: number;
}

/** Hands out the rows of all sources in pieces of a wanted size, so that splits may end within a block. */
export class RowReader {
  readonly #blocks: AsyncGenerator<RowBlock>;
  #block: RowBlock | undefined;
  #taken = 0;

  constructor(pass: LogPass) {
    this.#blocks = allBlocks(pass);
  }

  /** The next rows, at least one and at most `most`. Throws `E_MISMATCH` if there is none. */
  async next(most: number): Promise<RowRange> {
    if (this.#block === undefined || this.#taken === this.#block.rows) {
      const { value, done } = await this.#blocks.next();
      if (done) throw changed("fewer");
      this.#block = value;
      this.#taken = 0;
    }
    const from = this.#taken;
    this.#taken = Math.min(this.#block.rows, from + most);
    return { block: this.#block, from, to: this.#taken };
  }

  /** Throws `E_MISMATCH` if a row is left. */
  async expectEnd(): Promise<void> {
    const left = this.#block !== undefined && this.#taken < this.#block.rows;
    if (left || !(await this.#blocks.next()).done) throw changed("more");
  }

  /** Stops reading. */
  async close(): Promise<void> {
    await this.#blocks.return(undefined);
  }
}

async function* allBlocks(pass: LogPass): AsyncGenerator<RowBlock> {
  for (const { blocks } of pass.sources()) yield* blocks;
}

function changed(how: string): TtError {
  return new TtError("E_MISMATCH", `a source changed while it was read: it has ${how} rows than when they were counted`);
}

/** Encodes the next `rows` rows into batches of `rowsPerBatch`; each holds until the next is asked for. */
export async function* encodedBatches(
  reader: RowReader,
  schema: LogSchema,
  dictionaries: readonly Dictionary[],
  rows: number,
  { rowsPerBatch, maxIndexRange }: PreparedWith,
): AsyncGenerator<FilledColumns> {
  const columns = createRowColumns(schema, Math.min(rows, rowsPerBatch));
  const range = maxIndexRange ?? 2 ** 32;
  for (let done = 0; done < rows; ) {
    const wanted = Math.min(rowsPerBatch, rows - done);
    for (let filled = 0; filled < wanted; ) {
      const piece = await reader.next(wanted - filled);
      encodeRows(piece, schema, dictionaries, range, columns, filled);
      filled += piece.to - piece.from;
    }
    done += wanted;
    yield { columns, rows: wanted };
  }
}

function encodeRows(
  { block, from, to }: RowRange,
  schema: LogSchema,
  dictionaries: readonly Dictionary[],
  range: number,
  into: RowColumns,
  at: number,
): void {
  const denseCount = schema.dense.length;
  const idCount = dictionaries.length;
  into.labels.set(block.labels.subarray(from, to), at);
  for (let source = from * denseCount, goal = at * denseCount; source < to * denseCount; source++, goal++) {
    const value = block.integers[source];
    into.dense[goal] = value > 0 ? Math.log(value + 1) : 0;
  }
  for (const [column, dictionary] of dictionaries.entries()) {
    for (let row = from; row < to; row++) {
      into.ids[(at + row - from) * idCount + column] = dictionary.index(block.ids[row * idCount + column] % range);
    }
  }
}
