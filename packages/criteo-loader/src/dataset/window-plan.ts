import { createRng, shuffleInPlace } from "@tt-rec/tensor";

/** Record batches that are read together; rows are shuffled within them. */
const SHUFFLED_WINDOW = 8;

/** A record batch of a split. */
export interface BatchPlace {
  /** Number of the file among those of the split. */
  readonly file: number;
  /** Number of the record batch in the file. */
  readonly batch: number;
  /** Its rows. */
  readonly rows: number;
}

/** Record batches whose rows follow each other in an epoch. */
export interface RowWindow {
  /** The record batches in the order in which they are read. */
  readonly batches: readonly BatchPlace[];
  /** Rows in all of them. */
  readonly rows: number;
  /** Order of the rows; absent if they stay as they are. */
  readonly permutation?: () => Uint32Array;
}

/** How rows are mixed: over all training days, within each day, or not. */
export type Shuffle = "total" | "day" | "none";

/**
 * The windows of an epoch. Unshuffled, each is one record batch. Shuffled, record batches are taken in random order, eight a
 * window, and the rows of each window are put in random order; under "day", one day after the other.
 * All of it follows from (seed, epoch), and no window's order depends on another's.
 */
export function planWindows(
  days: readonly (readonly BatchPlace[])[],
  shuffle: Shuffle,
  seed: number,
  epoch: number,
): RowWindow[] {
  if (shuffle === "none") return days.flat().map((place) => ({ batches: [place], rows: place.rows }));
  const rng = createRng(seed, epoch);
  return (shuffle === "total" ? [days.flat()] : days).flatMap((places) => {
    const order = permuted(places.length, rng.uint32());
    const windows: RowWindow[] = [];
    for (let start = 0; start < order.length; start += SHUFFLED_WINDOW) {
      const batches = [...order.subarray(start, start + SHUFFLED_WINDOW)].map((place) => places[place]);
      const rows = batches.reduce((sum, batch) => sum + batch.rows, 0);
      const windowSeed = rng.uint32();
      windows.push({ batches, rows, permutation: () => permuted(rows, windowSeed) });
    }
    return windows;
  });
}

/** A random order of 0 … count - 1. */
function permuted(count: number, seed: number): Uint32Array {
  return shuffleInPlace(
    Uint32Array.from({ length: count }, (_, index) => index),
    createRng(seed),
  );
}
