import { TtError } from "@tt-rec/tensor";
import type { RowSource } from "./row-source.ts";
import type { SlabLayout } from "./slab-layout.ts";

/** What the first pass over a table tells. */
export interface TableMeasure {
  /** Sum of squares of all elements. */
  readonly squares: number;
  /** Sum of squares of the whole slabs. */
  readonly wholeSquares: number;
  /** The rows behind the last whole slab. */
  readonly partialRows: Float32Array;
}

/** Sums up the squares of a table. Throws E_NONFINITE, with row and column, at a number that is not finite. */
export async function measureTable(
  source: RowSource,
  { slabRows, chunkSlabs }: SlabLayout,
  onRows: (rows: number) => void,
): Promise<TableMeasure> {
  const { numEmbeddings, embeddingDim } = source;
  const whole = Math.floor(numEmbeddings / slabRows) * slabRows;
  const step = slabRows * chunkSlabs;
  let wholeSquares = 0;
  for (let begin = 0; begin < whole; begin += step) {
    const rows = await source.read(begin, Math.min(begin + step, whole));
    wholeSquares += sumOfSquares(rows, begin, embeddingDim);
    onRows(rows.length / embeddingDim);
  }
  const partialRows = (await source.read(whole, numEmbeddings)).slice();
  return { squares: wholeSquares + sumOfSquares(partialRows, whole, embeddingDim), wholeSquares, partialRows };
}

function sumOfSquares(rows: Float32Array, firstRow: number, embeddingDim: number): number {
  let sum = 0;
  for (let i = 0; i < rows.length; i++) sum += rows[i] * rows[i];
  // The squares of finite float32 numbers add up to finite float64 numbers.
  if (!Number.isFinite(sum)) throw notFinite(rows, firstRow, embeddingDim);
  return sum;
}

function notFinite(rows: Float32Array, firstRow: number, embeddingDim: number): TtError {
  const at = rows.findIndex((value) => !Number.isFinite(value));
  const [row, column] = [firstRow + Math.floor(at / embeddingDim), at % embeddingDim];
  return new TtError("E_NONFINITE", `row ${row}, column ${column} of the table is ${rows[at]}`);
}
