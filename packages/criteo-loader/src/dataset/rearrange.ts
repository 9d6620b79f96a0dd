import type { IdColumn, RowBlock } from "../log/row-block.ts";

/**
 * Copies the rows of some blocks to new places. `places` has the place of each row, counted over all blocks; −1 drops it.
 * Column by column and in the order of the blocks, so that reading is sequential and the places of a column stay in the
 * cache: four times as fast as to collect each batch from all columns of its window (1.8 against 0.45 Mrow a second of
 * processor time, 26 columns).
 */
export function rearrange(blocks: readonly RowBlock[], places: Int32Array, rows: number): RowBlock {
  const [first] = blocks;
  const width = first.dense.length / Math.max(1, first.rows);
  const labels = new Uint8Array(rows);
  const dense = new Float32Array(rows * width);
  let base = 0;
  for (const block of blocks) {
    const own = places.subarray(base, base + block.rows);
    for (let row = 0; row < own.length; row++) if (own[row] >= 0) labels[own[row]] = block.labels[row];
    scatterRows(block.dense, own, width, dense);
    base += block.rows;
  }
  const ids = first.ids.map(({ offsets }, column): IdColumn => {
    const parts = blocks.map((block) => block.ids[column]);
    return offsets === undefined ? { words: rearrangeIds(parts, places, rows) } : rearrangeLists(parts, places, rows);
  });
  return { rows, labels, dense, ids };
}

function scatterRows(from: Float32Array, places: Int32Array, width: number, to: Float32Array): void {
  for (let row = 0, source = 0; row < places.length; row++, source += width) {
    if (places[row] < 0) continue;
    for (let i = 0, at = places[row] * width; i < width; i++) to[at + i] = from[source + i];
  }
}

function rearrangeIds(parts: readonly IdColumn[], places: Int32Array, rows: number): Uint32Array {
  const all = new Uint32Array(rows);
  let base = 0;
  for (const { words } of parts) {
    const own = places.subarray(base, base + words.length);
    for (let row = 0; row < own.length; row++) if (own[row] >= 0) all[own[row]] = words[row];
    base += words.length;
  }
  return all;
}

function rearrangeLists(parts: readonly IdColumn[], places: Int32Array, rows: number): IdColumn {
  const offsets = new Uint32Array(rows + 1);
  const eachList = (use: (place: number, words: Uint32Array, begin: number, end: number) => void): void => {
    let base = 0;
    for (const { words, offsets: own = new Uint32Array(1) } of parts) {
      for (let row = 0; row + 1 < own.length; row++) {
        const place = places[base + row];
        if (place >= 0) use(place, words, own[row], own[row + 1]);
      }
      base += own.length - 1;
    }
  };
  eachList((place, _, begin, end) => {
    offsets[place + 1] = end - begin;
  });
  for (let row = 0; row < rows; row++) offsets[row + 1] += offsets[row];
  const all = new Uint32Array(offsets[rows]);
  eachList((place, words, begin, end) => all.set(words.subarray(begin, end), offsets[place]));
  return { words: all, offsets };
}
