import { bisectRows } from "./bisect-rows.ts";
import { CooccurrenceSketch, SKETCH_WIDTH } from "./cooccurrence-sketch.ts";
import type { IdOrder } from "./id-order.ts";

/** Row shape of a table of so many rows: its product is at least the number. */
export type RowShape = (cardinality: number) => readonly number[];

/** Options of the order by similarity. */
export interface SimilarityOptions {
  /** As a model will factor the tables. */
  readonly rowShape: RowShape;
  /** Ids seen fewer times in training rows follow behind, in first-seen order. Default 5. */
  readonly minCount?: number;
  /** Seed of the random projection, a uint32. Default 1. */
  readonly seed?: number;
}

/** Passes over the training rows, each a step of subspace iteration. */
const PASSES = 4;
/** Ids that may have a sketch, in all columns together: half a gibibyte of sketches. */
const MAX_IDS = 2 ** 22;

/**
 * Orders ids by what they occur together with in training rows, never by labels: a sketch an id, and a bisection of the
 * sketches along the row shape of the TT table (see `CooccurrenceSketch`, `bisectRows`). How often an id occurs is one
 * more coordinate, as wide as the widest of the sketch. Rare ids follow in first-seen order.
 */
export function similarityOrder({ rowShape, minCount = 5, seed = 1 }: SimilarityOptions): IdOrder {
  return async (learned) => {
    const counts: Uint32Array[] = [];
    for (const column of learned.cardinalities.keys()) counts.push((await learned.dictionary(column)).counts);
    const sketch = new CooccurrenceSketch(counts, minCount, MAX_IDS, seed);
    for (let pass = 0; pass < PASSES; pass++) {
      for await (const { rows, ids } of learned.blocks()) sketch.add(rows, ids);
      if (pass + 1 < PASSES) sketch.endPass();
      else sketch.endLastPass();
    }
    return counts.map((own, column) => orderOf(sketch, column, own, rowShape(own.length)));
  };
}

/** New index of each index of a column. */
function orderOf(sketch: CooccurrenceSketch, column: number, counts: Uint32Array, rowShape: readonly number[]): Uint32Array {
  const ids = sketch.idsOf(column);
  const order = bisectRows(withCounts(sketch.sketchesOf(column), ids, counts), SKETCH_WIDTH + 1, rowShape, 1);
  const moved = new Uint32Array(counts.length);
  for (const [place, row] of order.entries()) moved[ids[row]] = 1 + place;
  let next = 1 + ids.length;
  for (let index = 1; index < moved.length; index++) if (moved[index] === 0) moved[index] = next++;
  return moved;
}

/** Appends the logarithm of the count to each sketch, centred and with the variance of the widest coordinate. */
function withCounts(sketches: Float32Array, ids: Uint32Array, counts: Uint32Array): Float32Array {
  const width = SKETCH_WIDTH + 1;
  const rows = new Float32Array(ids.length * width);
  const squares = new Float64Array(SKETCH_WIDTH);
  const logs = Float64Array.from(ids, (index) => Math.log(counts[index]));
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
  const spread = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0);
  for (let row = 0; row < ids.length; row++) {
    for (let j = 0; j < SKETCH_WIDTH; j++) {
      const value = sketches[row * SKETCH_WIDTH + j];
      rows[row * width + j] = value;
      squares[j] += value * value;
    }
  }
  const scale = spread > 0 ? Math.sqrt(Math.max(...squares) / spread) : 0;
  for (let row = 0; row < ids.length; row++) rows[row * width + SKETCH_WIDTH] = scale * (logs[row] - mean);
  return rows;
}
