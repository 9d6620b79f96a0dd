import type { DatasetBatch } from "./batch.ts";
import type { LoadedWindow } from "./read-window.ts";
import type { RowWindow } from "./window-plan.ts";

/** Widths of the rows of a data set. */
export interface RowWidths {
  /** Whole-number columns F. */
  readonly dense: number;
  /** Id columns T. */
  readonly ids: number;
}

/**
 * Cuts the rows of windows into batches, from batch `start` on; the last may be short. The next window is read while
 * the consumer works.
 */
export async function* readBatches(
  windows: readonly RowWindow[],
  load: (window: RowWindow) => Promise<LoadedWindow>,
  widths: RowWidths,
  batchSize: number,
  start: number,
): AsyncGenerator<DatasetBatch> {
  let skip = start * batchSize;
  let next = 0;
  while (next < windows.length && skip >= windows[next].rows) skip -= windows[next++].rows;
  let left = windows.slice(next).reduce((sum, { rows }) => sum + rows, 0) - skip;

  let ahead = next < windows.length ? load(windows[next]) : undefined;
  let batch: DatasetBatch | undefined;
  let filled = 0;
  while (ahead !== undefined) {
    const window: LoadedWindow = await ahead;
    next++;
    ahead = next < windows.length ? load(windows[next]) : undefined;
    // A failure must wait until the window is wanted: the batches before it are good.
    ahead?.catch(() => undefined);
    for (let row = skip; row < window.rows; ) {
      batch ??= createBatch(widths, Math.min(batchSize, left));
      const count = Math.min(batch.size - filled, window.rows - row);
      copyRows(window, row, count, widths, batch, filled);
      row += count;
      filled += count;
      if (filled < batch.size) continue;
      yield batch;
      left -= filled;
      filled = 0;
      batch = undefined;
    }
    skip = 0;
  }
}

function createBatch(widths: RowWidths, size: number): DatasetBatch {
  const indices = new Uint32Array(widths.ids * size);
  return {
    size,
    labels: new Float32Array(size),
    dense: new Float32Array(size * widths.dense),
    bags: Array.from({ length: widths.ids }, (_, table) => ({ indices: indices.subarray(table * size, (table + 1) * size) })),
  };
}

function copyRows(
  { columns, order }: LoadedWindow,
  from: number,
  count: number,
  widths: RowWidths,
  batch: DatasetBatch,
  at: number,
): void {
  for (let i = 0; i < count; i++) {
    const row = order === undefined ? from + i : order[from + i];
    batch.labels[at + i] = columns.labels[row];
    let goal = (at + i) * widths.dense;
    for (let source = row * widths.dense, end = source + widths.dense; source < end; )
      batch.dense[goal++] = columns.dense[source++];
  }
  for (const [table, { indices }] of batch.bags.entries()) {
    for (let i = 0; i < count; i++) {
      const row = order === undefined ? from + i : order[from + i];
      indices[at + i] = columns.ids[row * widths.ids + table];
    }
  }
}
