import type { Runtime, Tensor } from "@tt-rec/tensor";
import { qr } from "../../linear-algebra/qr.ts";
import type { TTShape } from "../../shape/tt-shape.ts";
import { extraDirections, fitRows } from "../fit-rows.ts";
import { boundaryOf } from "../split-padded-bond.ts";
import type { Buffers } from "./buffers.ts";
import type { BondBound, LeadingRange } from "./leading-range.ts";
import type { SlabLayout } from "./slab-layout.ts";

/** Keeps the filled rows bounded where few elements of them are given; the known rows have float32 rounding. */
const RIDGE = 1e-6;

/** Part of the norm below which what the fit leaves is rounding of float32. */
const FIT_NOISE = 1e-6;

/** The first factor, and what is left of the table behind it. */
export interface FirstBond {
  /** Orthonormal columns, row-major [p1·q1, rank]. */
  readonly factor: Float64Array;
  /** Row-major [rank, columns of the unfolding]. */
  readonly rest: Tensor;
  /** Rank of the bond. */
  readonly rank: number;
}

/** Ends the first bond: joins the tiles, and adds the rows of the digit that the table gives in part, as `ttSvd` does. */
export async function firstBond(
  runtime: Runtime,
  buffers: Buffers,
  layout: SlabLayout,
  table: Pick<TTShape, "numEmbeddings" | "rowShape" | "columnShape">,
  range: LeadingRange,
  partialRows: Float32Array,
  squares: number,
  { allowedSquares, maxRank }: BondBound,
): Promise<FirstBond> {
  const { q, columns, tiles } = layout;
  const { rest: givenRows, fullDigits } = boundaryOf(table);
  const partial = givenRows === 0 ? [] : partialUnfolding(partialRows, layout, givenRows);
  const given = givenRows === 0 ? [] : Array.from({ length: range.rank }, (_, k) => givenElements(range, layout, givenRows, k));
  const fit = givenRows === 0 ? undefined : fitRows(given, range.values, partial, RIDGE);
  const budget = Math.max(0, (allowedSquares ?? 0) - range.droppedSquares);
  const extra = fit && extraDirections(fit.residual, q, budget, maxRank - range.rank, FIT_NOISE ** 2 * squares);

  const rank = range.rank + (extra?.rank ?? 0);
  const rows = buffers.take([rank, columns]);
  const { data } = rows;
  for (const [t, { column, width }] of tiles.entries()) {
    const tile = range.tiles[t].data;
    for (let k = 0; k < range.rank; k++) data.set(tile.subarray(k * width, (k + 1) * width), k * columns + column);
  }
  const factor = new Float64Array(table.rowShape[0] * q * rank);
  for (let row = 0; row < fullDigits * q; row++) {
    for (let k = 0; k < range.rank; k++) factor[row * rank + k] = range.basis[row * range.size + k];
  }
  if (fit === undefined || extra === undefined) return { factor, rest: rows, rank };

  const count = partial[0].length;
  for (let k = 0; k < extra.rank; k++) {
    eachGiven(layout, givenRows, (column, i) => {
      data[(range.rank + k) * columns + column] = extra.rest[k * count + i];
    });
  }
  for (let j = 0; j < q; j++) {
    const at = (fullDigits * q + j) * rank;
    factor.set(fit.coefficients.subarray(j * range.rank, (j + 1) * range.rank), at);
    factor.set(extra.factor.subarray(j * extra.rank, (j + 1) * extra.rank), at + range.rank);
  }
  // The filled rows are no unit vectors; later errors keep their size only behind orthonormal columns.
  const orthonormal = qr(factor, factor.length / rank, rank);
  const triangle = buffers.take([rank, rank]);
  triangle.data.set(orthonormal.r);
  const rest = buffers.take([rank, columns]);
  await runtime.kernels.gemm("nn", triangle, rows, rest);
  rows.dispose();
  return { factor: orthonormal.q, rest, rank };
}

/** Calls `use` with the column of each given element of an unfolding's row, in the order of the table. */
function eachGiven(layout: SlabLayout, givenRows: number, use: (column: number, i: number) => void): void {
  let i = 0;
  for (const { row, rowEnd, column } of layout.tiles) {
    for (let r = row; r < Math.min(rowEnd, givenRows); r++) {
      for (const offset of layout.columnOffsets) use(column + layout.rowColumns[r] + offset, i++);
    }
  }
}

/** The given elements of the q1 rows of the unfolding that the last rows of the table make up. */
function partialUnfolding(rows: Float32Array, { q, columnOffsets }: SlabLayout, givenRows: number): Float64Array[] {
  const inner = columnOffsets.length;
  return Array.from({ length: q }, (_, j) => {
    const given = new Float64Array(givenRows * inner);
    for (let r = 0; r < givenRows; r++) given.set(rows.subarray((r * q + j) * inner, (r * q + j + 1) * inner), r * inner);
    return given;
  });
}

/** The same elements of row k of the range. */
function givenElements({ tiles }: LeadingRange, layout: SlabLayout, givenRows: number, k: number): Float64Array {
  const given = new Float64Array(givenRows * layout.columnOffsets.length);
  let i = 0;
  for (const [t, { row, rowEnd, width }] of layout.tiles.entries()) {
    const { data } = tiles[t];
    for (let r = row; r < Math.min(rowEnd, givenRows); r++) {
      for (const offset of layout.columnOffsets) given[i++] = data[k * width + layout.rowColumns[r] + offset];
    }
  }
  return given;
}
