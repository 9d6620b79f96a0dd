import { TtError } from "@tt-rec/tensor";
import { denseWidth, idColumnKinds, type LogSchema } from "../log/log-schema.ts";
import type { RowBlock } from "../log/row-block.ts";
import type { Scratch } from "./scratch.ts";
import { type StagedPiece, scratchName } from "./staged-source.ts";

/** Hands out room in the scratch files of a source to all threads that fill them: rows, then ids of each list column. */
export type RoomCounters = BigInt64Array;

/** Number of counters that a source needs. */
export function roomCounters(schema: LogSchema): number {
  return 1 + (schema.lists?.length ?? 0);
}

/** Writes blocks of rows into the scratch files of a source and returns where they lie. */
export async function stageRows(
  blocks: AsyncIterable<RowBlock>,
  source: number,
  schema: LogSchema,
  scratch: Scratch,
  room: RoomCounters,
  onRows: (rows: number) => void,
): Promise<StagedPiece[]> {
  const kinds = idColumnKinds(schema);
  const labels = scratch.open(scratchName.labels(source));
  const dense = scratch.open(scratchName.dense(source));
  const raw = kinds.map((_, column) => scratch.open(scratchName.raw(source, column)));
  const lengths = kinds.map(({ list }, column) => (list ? scratch.open(scratchName.lengths(source, column)) : undefined));
  const pieces: StagedPiece[] = [];
  try {
    for await (const block of blocks) {
      if (block.rows === 0) continue;
      const at = take(room, 0, block.rows);
      labels.write(block.labels.subarray(0, block.rows), at);
      dense.write(bytesOf(block.dense), 4 * at * denseWidth(schema));
      const lists: [number, number][] = [];
      for (const [column, { words, list }] of kinds.entries()) {
        const ids = block.ids[column];
        let place = at;
        if (list) {
          const perRow = rowLengths(ids.offsets, block.rows, schema.ids[column]);
          lengths[column]?.write(bytesOf(perRow), 4 * at);
          const count = ids.words.length / words;
          place = take(room, 1 + lists.length, count);
          lists.push([place, count]);
        }
        raw[column].write(bytesOf(ids.words), 4 * place * words);
      }
      pieces.push({ rows: block.rows, at, lists });
      onRows(block.rows);
    }
  } finally {
    for (const file of [labels, dense, ...raw, ...lengths]) file?.close();
  }
  return pieces;
}

function take(room: RoomCounters, counter: number, count: number): number {
  return Number(Atomics.add(room, counter, BigInt(count)));
}

function rowLengths(offsets: Uint32Array | undefined, rows: number, column: string): Uint32Array {
  if (offsets?.length !== rows + 1) {
    throw new TtError("E_OFFSETS", `the list column ${column} has ${offsets?.length} offsets for ${rows} rows`, { column });
  }
  return Uint32Array.from({ length: rows }, (_, row) => offsets[row + 1] - offsets[row]);
}

/** The bytes of a typed array, as a view. */
export function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
