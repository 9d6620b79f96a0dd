import type { Encoder, RowBlock, RowSource } from "@tt-rec/criteo-loader";
import type { Batch } from "@tt-rec/dlrm";

/** Rows that are scored at a time. */
const BATCH_ROWS = 4096;

/** The raw rows of a source as batches, in order, by the dictionaries of a data set. A bad row throws `E_ROW`, so none is skipped. */
export async function* encodeRows(source: RowSource, encoder: Encoder): AsyncGenerator<Batch> {
  const state = { maxBadRows: 0, badRows: 0, lines: 0, bytes: 0 };
  for await (const block of source.blocks(encoder.schema, state)) {
    const bags = block.ids.map(({ words, offsets }, column) => ({ indices: encoder.encodeColumn(column, words), offsets }));
    for (let from = 0; from < block.rows; from += BATCH_ROWS) {
      yield cut(block, bags, from, Math.min(block.rows, from + BATCH_ROWS));
    }
  }
}

function cut(
  { rows, dense }: RowBlock,
  columns: readonly { readonly indices: Uint32Array; readonly offsets: Uint32Array | undefined }[],
  from: number,
  to: number,
): Batch {
  const width = dense.length / rows;
  const bags = columns.map(({ indices, offsets }) => {
    if (offsets === undefined) return { indices: indices.subarray(from, to) };
    const begin = offsets[from];
    return {
      indices: indices.subarray(begin, offsets[to]),
      offsets: offsets.slice(from, to + 1).map((offset) => offset - begin),
    };
  });
  return { size: to - from, labels: new Float32Array(to - from), dense: dense.subarray(from * width, to * width), bags };
}
