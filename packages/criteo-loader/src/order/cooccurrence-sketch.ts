import { createRng, mixBits } from "@tt-rec/tensor";
import type { IdColumn } from "../log/row-block.ts";
import { orthonormalize } from "./orthonormalize.ts";

/** Numbers of a sketch. */
export const SKETCH_WIDTH = 16;
/** Rows that are added together. */
const CHUNK_ROWS = 2048;
/** Marks an id without a sketch. */
const NONE = -1;

/**
 * A sketch of what each id occurs together with, in the other columns of its rows: a random projection of the
 * co-occurrence counts, refined by subspace iteration, one pass over the rows a round. Every count is divided by the
 * square roots of the two ids' own counts, and what follows from those alone is taken out, as in correspondence analysis.
 *
 * Only ids that occur at least `minCount` times have one: 128 bytes an id. When that would be more than `maxIds` in all,
 * the minimum is raised until they are few enough.
 */
export class CooccurrenceSketch {
  /** The count from which on ids have a sketch, as raised by `maxIds`. */
  readonly minCount: number;
  readonly #slots: readonly Int32Array[];
  readonly #starts: readonly number[];
  readonly #counts: Float64Array;
  /** What an id adds to those that it occurs with. */
  #sent: Float32Array;
  #received: Float32Array;
  /** What all ids of a row send, row-major [CHUNK_ROWS, SKETCH_WIDTH]. */
  readonly #totals = new Float64Array(CHUNK_ROWS * SKETCH_WIDTH);

  /** `counts[column][index]` are occurrences in the rows that follow; index 0, the out-of-vocabulary id, has no sketch. */
  constructor(counts: readonly Uint32Array[], minCount: number, maxIds: number, seed: number) {
    this.minCount = raisedMinimum(counts, minCount, maxIds);
    const starts = [0];
    this.#slots = counts.map((column) => {
      const slots = new Int32Array(column.length).fill(NONE);
      let next = starts[starts.length - 1];
      for (let index = 1; index < column.length; index++) if (column[index] >= this.minCount) slots[index] = next++;
      starts.push(next);
      return slots;
    });
    this.#starts = starts;
    const total = starts[starts.length - 1];
    this.#counts = new Float64Array(total);
    for (const [column, slots] of this.#slots.entries()) {
      for (const [index, slot] of slots.entries()) if (slot !== NONE) this.#counts[slot] = counts[column][index];
    }
    this.#sent = randomSigns(total, createRng(seed).uint32());
    this.#received = new Float32Array(total * SKETCH_WIDTH);
    this.#scaleSent();
  }

  /** Adds rows; every pass must see the same ones. */
  add(rows: number, columns: readonly IdColumn[]): void {
    for (let from = 0; from < rows; from += CHUNK_ROWS) {
      const to = Math.min(rows, from + CHUNK_ROWS);
      this.#totals.fill(0);
      for (const [column, ids] of columns.entries()) this.#gather(ids, column, from, to);
      for (const [column, ids] of columns.entries()) this.#scatter(ids, column, from, to);
    }
  }

  /** Ends a pass: the sketches become what the next pass sends out. */
  endPass(): void {
    this.#finishReceived();
    [this.#sent, this.#received] = [this.#received, this.#sent.fill(0)];
    for (let column = 0; column < this.#slots.length; column++) orthonormalize(this.#part(this.#sent, column), SKETCH_WIDTH);
    this.#scaleSent();
  }

  /** Ends the last pass. The object holds no sketch afterwards that `idsOf` and `sketchesOf` would not give. */
  endLastPass(): void {
    this.#finishReceived();
    this.#sent = new Float32Array(0);
  }

  /** Indices of a column that have a sketch, ascending. */
  idsOf(column: number): Uint32Array {
    const slots = this.#slots[column];
    const ids = new Uint32Array(this.#starts[column + 1] - this.#starts[column]);
    let next = 0;
    for (const [index, slot] of slots.entries()) if (slot !== NONE) ids[next++] = index;
    return ids;
  }

  /** The sketches of those indices, row-major [ids, SKETCH_WIDTH]. A view. */
  sketchesOf(column: number): Float32Array {
    return this.#part(this.#received, column);
  }

  #part(values: Float32Array, column: number): Float32Array {
    return values.subarray(this.#starts[column] * SKETCH_WIDTH, this.#starts[column + 1] * SKETCH_WIDTH);
  }

  /** Adds what the ids of a column send to the totals of their rows, the mean of a list's. */
  #gather({ words, offsets }: IdColumn, column: number, first: number, end: number): void {
    const [slots, sent, totals] = [this.#slots[column], this.#sent, this.#totals];
    for (let row = first, at = 0; row < end; row++, at += SKETCH_WIDTH) {
      const from = offsets === undefined ? row : offsets[row];
      const to = offsets === undefined ? row + 1 : offsets[row + 1];
      for (let position = from; position < to; position++) {
        const slot = slots[words[position]];
        if (slot === NONE) continue;
        const source = slot * SKETCH_WIDTH;
        const share = 1 / (to - from);
        for (let j = 0; j < SKETCH_WIDTH; j++) totals[at + j] += share * sent[source + j];
      }
    }
  }

  /** Gives the ids of a column the totals of their rows, without what their own column sent. */
  #scatter({ words, offsets }: IdColumn, column: number, first: number, end: number): void {
    const [slots, sent, received, totals] = [this.#slots[column], this.#sent, this.#received, this.#totals];
    const own = new Float64Array(SKETCH_WIDTH);
    for (let row = first, at = 0; row < end; row++, at += SKETCH_WIDTH) {
      const from = offsets === undefined ? row : offsets[row];
      const to = offsets === undefined ? row + 1 : offsets[row + 1];
      own.fill(0);
      for (let position = from; position < to; position++) {
        const slot = slots[words[position]];
        if (slot === NONE) continue;
        const source = slot * SKETCH_WIDTH;
        const share = 1 / (to - from);
        for (let j = 0; j < SKETCH_WIDTH; j++) own[j] += share * sent[source + j];
      }
      for (let position = from; position < to; position++) {
        const slot = slots[words[position]];
        if (slot === NONE) continue;
        const goal = slot * SKETCH_WIDTH;
        for (let j = 0; j < SKETCH_WIDTH; j++) received[goal + j] += totals[at + j] - own[j];
      }
    }
  }

  #scaleSent(): void {
    scaleRows(this.#sent, this.#counts);
  }

  /** Divides by the root of the counts, and takes out the direction of these roots: it is there in any data. */
  #finishReceived(): void {
    scaleRows(this.#received, this.#counts);
    for (let column = 0; column < this.#slots.length; column++) {
      const counts = this.#counts.subarray(this.#starts[column], this.#starts[column + 1]);
      removeTrivial(this.#part(this.#received, column), counts);
    }
  }
}

/** Smallest count of at least `minCount` from which on no more than `maxIds` ids are left. */
function raisedMinimum(counts: readonly Uint32Array[], minCount: number, maxIds: number): number {
  const atLeast = (least: number): number =>
    counts.reduce((sum, column) => {
      let ids = 0;
      for (let index = 1; index < column.length; index++) if (column[index] >= least) ids++;
      return sum + ids;
    }, 0);
  let low = minCount;
  if (atLeast(low) <= maxIds) return low;
  let high = 2 * low;
  while (atLeast(high) > maxIds) [low, high] = [high, 2 * high];
  // Too many at `low`, few enough at `high`.
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (atLeast(middle) > maxIds) low = middle;
    else high = middle;
  }
  return high;
}

/** A row of random signs for each slot. */
function randomSigns(slots: number, seed: number): Float32Array {
  const signs = new Float32Array(slots * SKETCH_WIDTH);
  for (let slot = 0, at = 0; slot < slots; slot++) {
    const bits = mixBits(mixBits(slot) ^ seed);
    for (let j = 0; j < SKETCH_WIDTH; j++, at++) signs[at] = (bits >>> j) & 1 ? 1 : -1;
  }
  return signs;
}

function scaleRows(values: Float32Array, counts: Float64Array): void {
  for (let slot = 0, at = 0; slot < counts.length; slot++) {
    const scale = 1 / Math.sqrt(counts[slot]);
    for (let j = 0; j < SKETCH_WIDTH; j++, at++) values[at] *= scale;
  }
}

function removeTrivial(values: Float32Array, counts: Float64Array): void {
  const projection = new Float64Array(SKETCH_WIDTH);
  const total = counts.reduce((sum, count) => sum + count, 0);
  for (let row = 0, at = 0; row < counts.length; row++) {
    const root = Math.sqrt(counts[row]);
    for (let j = 0; j < SKETCH_WIDTH; j++, at++) projection[j] += root * values[at];
  }
  for (let row = 0, at = 0; row < counts.length; row++) {
    const share = Math.sqrt(counts[row]) / total;
    for (let j = 0; j < SKETCH_WIDTH; j++, at++) values[at] -= share * projection[j];
  }
}
