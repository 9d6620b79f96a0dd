import type { TTShape } from "../../shape/tt-shape.ts";
import { positions } from "../mode-tensor.ts";

/** Columns of a tile, about: a product with it stays in the processor's caches. */
const TILE_COLUMNS = 8192;

/** Bytes of table that are read at a time, about. */
const CHUNK_BYTES = 2 ** 26;

/** Consecutive columns of the first unfolding; they belong to consecutive rows of each slab. */
interface Tile {
  /** First column. */
  readonly column: number;
  /** Number of columns. */
  readonly width: number;
  /** First row of a slab in the tile. */
  readonly row: number;
  /** Row of a slab after the last in the tile. */
  readonly rowEnd: number;
}

/**
 * How the rows of a table map to its first unfolding [p1·q1, p2·q2·…]: a slab is all rows of one first digit, it
 * gives q1 rows of the unfolding, and these are cut into tiles of columns.
 */
export interface SlabLayout {
  /** Rows of the table in a slab. */
  readonly slabRows: number;
  /** Columns of the unfolding. */
  readonly columns: number;
  /** Rows q1 of the unfolding a slab. */
  readonly q: number;
  /** The tiles, in order. */
  readonly tiles: readonly Tile[];
  /** For each row of a slab the column of its first element, counted in its tile. */
  readonly rowColumns: Int32Array;
  /** For each column of the table behind its first digit: how far behind the row's first column it lies. */
  readonly columnOffsets: Int32Array;
  /** Slabs that are read at a time. */
  readonly chunkSlabs: number;
}

/** The layout of a table's first unfolding. */
export function slabLayout({ rowShape, columnShape }: Pick<TTShape, "rowShape" | "columnShape">): SlabLayout {
  const modes = rowShape.map((p, k) => p * columnShape[k]);
  const innerStride = modes.slice(2).reduce((a, b) => a * b, 1);
  const columns = modes[1] * innerStride;
  // A tile holds whole digits of the second core, so that all columns of a row lie in one tile.
  const digitColumns = columnShape[1] * innerStride;
  const tileDigits = Math.max(1, Math.floor(TILE_COLUMNS / digitColumns));
  const digitRows = rowShape.slice(2).reduce((a, b) => a * b, 1);
  const tiles: Tile[] = [];
  for (let digit = 0; digit < rowShape[1]; digit += tileDigits) {
    const end = Math.min(digit + tileDigits, rowShape[1]);
    tiles.push({
      column: digit * digitColumns,
      width: (end - digit) * digitColumns,
      row: digit * digitRows,
      rowEnd: end * digitRows,
    });
  }
  const { rows, columns: offsets } = positions(rowShape.slice(1), columnShape.slice(1));
  const rowColumns = Int32Array.from(rows);
  for (const { row, rowEnd, column } of tiles) for (let r = row; r < rowEnd; r++) rowColumns[r] -= column;
  const slabRows = rows.length;
  const slabBytes = 4 * slabRows * columnShape.reduce((a, b) => a * b, 1);
  const chunkSlabs = Math.max(1, Math.min(rowShape[0], Math.floor(CHUNK_BYTES / slabBytes)));
  return { slabRows, columns, q: columnShape[0], tiles, rowColumns, columnOffsets: Int32Array.from(offsets), chunkSlabs };
}
