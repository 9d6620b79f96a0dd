import type { RowBlock } from "../log/row-block.ts";
import type { DatasetBatch } from "./batch.ts";
import { BatchRoom, batchView } from "./batch-room.ts";
import type { RowWindow } from "./window-plan.ts";

/** Widths of the rows of a data set. */
export interface RowWidths {
  /** Whole-number columns F. */
  readonly dense: number;
  /** For each id column whether it is a list column. */
  readonly lists: readonly boolean[];
}

/**
 * Cuts the rows of windows into batches, after the first `skip` rows; the last may be short. The next window is read
 * while the consumer works. A batch that lies within one window is handed out without a copy.
 */
export async function* readBatches(
  windows: readonly RowWindow[],
  load: (window: RowWindow) => Promise<RowBlock>,
  { dense, lists }: RowWidths,
  batchSize: number,
  skip: number,
): AsyncGenerator<DatasetBatch> {
  let room: BatchRoom | undefined;
  let left = skip;
  for await (const window of loadAhead(windows, load)) {
    let row = Math.min(left, window.rows);
    left -= row;
    while (row < window.rows) {
      const count = Math.min(batchSize - (room?.size ?? 0), window.rows - row);
      if (count === batchSize) {
        yield batchView(window, row, count, dense);
      } else {
        room ??= new BatchRoom(batchSize, dense, lists);
        room.append(window, row, count);
        if (room.size === batchSize) {
          yield room.batch();
          room = undefined;
        }
      }
      row += count;
    }
  }
  if (room !== undefined) yield room.batch();
}

async function* loadAhead(
  windows: readonly RowWindow[],
  load: (window: RowWindow) => Promise<RowBlock>,
): AsyncGenerator<RowBlock> {
  let ahead = windows.length > 0 ? load(windows[0]) : undefined;
  for (let next = 1; ahead !== undefined; next++) {
    const window: RowBlock = await ahead;
    ahead = next < windows.length ? load(windows[next]) : undefined;
    // A failure must wait until the window is wanted: the batches before it are good.
    ahead?.catch(() => undefined);
    yield window;
  }
}
