import { denseWidth, idColumnKinds, type LogSchema } from "../log/log-schema.ts";
import type { IdColumn, RowBlock } from "../log/row-block.ts";
import { pieceIds, readLengths } from "./read-column.ts";
import type { Scratch, ScratchFile } from "./scratch.ts";
import { bytesOf } from "./stage-rows.ts";
import { type StagedPiece, type StagedSource, scratchName } from "./staged-source.ts";

/**
 * Reads the rows [from, to) of the log back from scratch in blocks of at most a piece, their ids as indices. `files`
 * says which indices, for each column. A block holds until the next is asked for.
 */
export async function* readRows(
  scratch: Scratch,
  stages: readonly StagedSource[],
  schema: LogSchema,
  files: readonly ("indices" | "ordered")[],
  from: number,
  to: number,
): AsyncGenerator<RowBlock> {
  let row = 0;
  for (const { source, pieces } of stages) {
    const reader = new SourceReader(scratch, source, schema, files);
    try {
      for (const piece of pieces) {
        const first = row;
        row += piece.rows;
        const [begin, end] = [Math.max(from, first), Math.min(to, row)];
        if (begin < end) yield reader.read(piece, begin - first, end - first);
      }
    } finally {
      reader.close();
    }
  }
}

class SourceReader {
  readonly #open = new Map<string, ScratchFile>();
  /** Memory that blocks are read into, by file. */
  readonly #buffers = new Map<string, ArrayBuffer>();

  readonly #scratch: Scratch;
  readonly #source: number;
  readonly #schema: LogSchema;
  readonly #files: readonly ("indices" | "ordered")[];

  constructor(scratch: Scratch, source: number, schema: LogSchema, files: readonly ("indices" | "ordered")[]) {
    this.#scratch = scratch;
    this.#source = source;
    this.#schema = schema;
    this.#files = files;
  }

  read(piece: StagedPiece, from: number, to: number): RowBlock {
    const [source, schema, scratch] = [this.#source, this.#schema, this.#scratch];
    const rows = to - from;
    const width = denseWidth(schema);
    const kinds = idColumnKinds(schema);
    const ids = kinds.map(({ list }, column): IdColumn => {
      const span = pieceIds(scratch, source, kinds, column, piece, from, to);
      const words = new Uint32Array(this.#bytes(scratchName[this.#files[column]](source, column), 4 * span.ids, 4 * span.at));
      if (!list) return { words };
      return { words, offsets: offsetsOf(readLengths(scratch, source, column, piece.at + from, rows)) };
    });
    return {
      rows,
      labels: new Uint8Array(this.#bytes(scratchName.labels(source), rows, piece.at + from)),
      dense: new Float32Array(this.#bytes(scratchName.dense(source), 4 * width * rows, 4 * width * (piece.at + from))),
      ids,
    };
  }

  close(): void {
    for (const file of this.#open.values()) file.close();
    this.#open.clear();
  }

  #bytes(name: string, byteLength: number, position: number): ArrayBuffer {
    let file = this.#open.get(name);
    if (file === undefined) {
      file = this.#scratch.open(name);
      this.#open.set(name, file);
    }
    let buffer = this.#buffers.get(name);
    if (buffer?.byteLength !== byteLength) {
      buffer = new ArrayBuffer(byteLength);
      this.#buffers.set(name, buffer);
    }
    file.read(bytesOf(new Uint8Array(buffer)), position);
    return buffer;
  }
}

function offsetsOf(lengths: Uint32Array): Uint32Array {
  const offsets = new Uint32Array(lengths.length + 1);
  for (const [row, length] of lengths.entries()) offsets[row + 1] = offsets[row] + length;
  return offsets;
}
