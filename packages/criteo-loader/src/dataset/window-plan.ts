import { createRng } from "@tt-rec/tensor";

/** Record batches that are read together; rows are shuffled within them. */
const SHUFFLED_WINDOW = 8;

/** Record batches whose rows follow each other in an epoch. */
export interface RowWindow {
  /** Numbers of the record batches in the file, in the order in which they are read. */
  readonly batches: readonly number[];
  /** Rows in all of them. */
  readonly rows: number;
  /** Order of the rows; absent if they stay as they are. */
  readonly permutation?: () => Uint32Array;
}

/** The windows of an unshuffled epoch: one record batch each. */
export function plainWindows(rowsOfBatches: readonly number[]): RowWindow[] {
  return rowsOfBatches.map((rows, batch) => ({ batches: [batch], rows }));
}

/**
 * The windows of a shuffled epoch: the record batches in random order, eight a window, with a random order of the
 * rows of each window. All of it follows from (seed, epoch), and no window's order depends on another's.
 */
export function shuffledWindows(rowsOfBatches: readonly number[], seed: number, epoch: number): RowWindow[] {
  const rng = createRng(seed, epoch);
  const order = permuted(rowsOfBatches.length, rng.uint32());
  const windows: RowWindow[] = [];
  for (let start = 0; start < order.length; start += SHUFFLED_WINDOW) {
    const batches = [...order.subarray(start, start + SHUFFLED_WINDOW)];
    const rows = batches.reduce((sum, batch) => sum + rowsOfBatches[batch], 0);
    const windowSeed = rng.uint32();
    windows.push({ batches, rows, permutation: () => permuted(rows, windowSeed) });
  }
  return windows;
}

/** A random order of 0 … count - 1 (Fisher and Yates). */
function permuted(count: number, seed: number): Uint32Array {
  const rng = createRng(seed);
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(rng.uniform() * (last + 1));
    const kept = order[last];
    order[last] = order[other];
    order[other] = kept;
  }
  return order;
}
