import type { Tensor } from "@tt-rec/tensor";
import type { TTShape } from "../../shape/tt-shape.ts";
import { boundaryOf } from "../split-padded-bond.ts";
import type { Buffers } from "./buffers.ts";
import type { RowSource } from "./row-source.ts";
import type { SlabLayout } from "./slab-layout.ts";

/** Some consecutive rows of an unfolding, in tiles of columns. */
interface UnfoldingChunk {
  /** First row. */
  readonly firstRow: number;
  /** Rows that count; the tiles may have more, which are zero. */
  readonly rows: number;
  /** One tensor a tile, [chunk rows, tile columns]. */
  readonly tiles: readonly Tensor[];
}

/** A matrix that is gone through in chunks of rows, as often as needed. */
export interface Unfolding {
  /** Number of rows. */
  readonly rows: number;
  /** Number of rows in the tensors of a chunk. */
  readonly chunkRows: number;
  /** Columns of each tile. */
  readonly widths: readonly number[];
  /** The chunks in order; each is valid until the next one is asked for. */
  chunks(): AsyncIterable<UnfoldingChunk>;
}

/** A matrix in memory: one chunk of one tile. */
export function unfoldingInMemory(matrix: Tensor): Unfolding {
  const [rows, columns] = matrix.shape;
  return {
    rows,
    chunkRows: rows,
    widths: [columns],
    async *chunks() {
      yield { firstRow: 0, rows, tiles: [matrix] };
    },
  };
}

/**
 * The first unfolding of a table, without the digit whose rows are given in part, read anew in each pass. Tells `onRows`
 * how many rows of the table were read.
 */
export function unfoldingOf(
  buffers: Buffers,
  source: RowSource,
  layout: SlabLayout,
  shape: Pick<TTShape, "numEmbeddings" | "rowShape" | "columnShape">,
  onRows: (rows: number) => void,
): Unfolding {
  const { q, slabRows, chunkSlabs, tiles } = layout;
  const slabs = boundaryOf(shape).fullDigits;
  const chunkRows = Math.min(chunkSlabs, slabs) * q;
  const tensors = tiles.map(({ width }) => buffers.take([chunkRows, width]));
  return {
    rows: slabs * q,
    chunkRows,
    widths: tiles.map(({ width }) => width),
    async *chunks() {
      for (let slab = 0; slab < slabs; slab += chunkSlabs) {
        const count = Math.min(chunkSlabs, slabs - slab);
        const rows = await source.read(slab * slabRows, (slab + count) * slabRows);
        for (const [t, tensor] of tensors.entries()) fillTile(tensor.data, rows, layout, t, count);
        onRows(count * slabRows);
        yield { firstRow: slab * q, rows: count * q, tiles: tensors };
      }
    },
  };
}

/** Puts the elements of some slabs that belong to one tile where the tile has them; rows behind them become zero. */
function fillTile(tile: Float32Array, rows: Float32Array, layout: SlabLayout, t: number, slabs: number): void {
  const { q, slabRows, rowColumns, columnOffsets } = layout;
  const { row, rowEnd, width } = layout.tiles[t];
  const inner = columnOffsets.length;
  for (let slab = 0; slab < slabs; slab++) {
    let from = (slab * slabRows + row) * q * inner;
    for (let r = row; r < rowEnd; r++) {
      for (let j = 0; j < q; j++) {
        const to = (slab * q + j) * width + rowColumns[r];
        for (let c = 0; c < inner; c++) tile[to + columnOffsets[c]] = rows[from++];
      }
    }
  }
  tile.fill(0, slabs * q * width);
}
