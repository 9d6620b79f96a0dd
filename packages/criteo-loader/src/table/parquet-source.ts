import { isTtError, type ReadAt, TtError } from "@tt-rec/tensor";
import { parquetMetadataAsync, parquetScan, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import type { RowBlock } from "../log/row-block.ts";
import type { RowSource, ScanState } from "../log/row-source.ts";
import { takeCells } from "./cell-rows.ts";
import { columnPlaces } from "./table-columns.ts";
import { TableRows } from "./table-rows.ts";
import type { TableSchema } from "./table-schema.ts";
import { createTextHash } from "./text-hash.ts";

/** Opens the bytes of a file; it may be called several times. */
export type OpenFile = () => Promise<ReadAt>;

/**
 * Makes a Parquet file a source of rows; the columns of a row group are in memory at a time. Reading throws `E_ROW` with file,
 * row and column, `E_CORRUPT` if the file cannot be decoded, and what `open` throws. Parquet has no checksum that its
 * readers must check: damage within a value may go unseen.
 */
export function parquetSource(name: string, open: OpenFile, schema: TableSchema): RowSource {
  return { name, blocks: (_, state) => readBlocks(name, open, schema, state) };
}

async function* readBlocks(name: string, open: OpenFile, schema: TableSchema, state: ScanState): AsyncGenerator<RowBlock> {
  const rows = new TableRows(schema, await createTextHash());
  const bytes = await open();
  const file = {
    byteLength: bytes.byteLength,
    async slice(from: number, to = bytes.byteLength): Promise<ArrayBuffer> {
      const piece = await bytes.slice(from, to);
      state.bytes += piece.length;
      return new Uint8Array(piece).buffer;
    },
  };
  try {
    const metadata = await parquetMetadataAsync(file);
    const names = parquetSchema(metadata).children.map(({ element }) => element.name);
    const places = columnPlaces(schema, names);
    if (typeof places === "string") throw new TtError("E_ROW", `${name}: ${places}`, { file: name });
    const used = [...new Set([...(places.label < 0 ? [] : [places.label]), ...places.dense, ...places.ids])];
    const columns = used.map((place) => names[place]);
    const scan = await parquetScan({ file, metadata, columns, compressors });
    for (const { rowStart, rowEnd } of scan.ranges) {
      const values: ArrayLike<unknown>[] = [];
      for (const column of columns) values.push(await scan.readColumn({ column, rowStart, rowEnd }));
      const short = values.findIndex(({ length }) => length !== rowEnd - rowStart);
      if (short >= 0) throw new Error(`column ${columns[short]} has ${values[short].length} of ${rowEnd - rowStart} rows`);
      const table = {
        names: columns,
        rows: rowEnd - rowStart,
        firstRow: rowStart,
        cell: (place: number, row: number) => values[place][row],
      };
      yield* takeCells(name, schema, table, state, rows);
    }
  } catch (error) {
    if (isTtError(error)) throw error;
    throw new TtError(
      "E_CORRUPT",
      `${name} cannot be read as Parquet: ${(error as Error).message}`,
      { file: name },
      { cause: error },
    );
  }
  if (rows.rows > 0) yield rows.take();
}
