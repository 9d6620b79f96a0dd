import { type ReadAt, TtError } from "@tt-rec/tensor";
import { decodeFloat16 } from "../../quantize/float16.ts";

/** A table that is read in pieces of consecutive rows. */
export interface RowSource {
  /** Rows n of the table. */
  readonly numEmbeddings: number;
  /** Columns D of the table. */
  readonly embeddingDim: number;
  /** The rows [begin, end), row-major. */
  read(begin: number, end: number): Promise<Float32Array>;
}

/** Where a table lies in a file: row-major, little-endian, without gaps. */
export interface RowsInFile {
  /** Rows n of the table. */
  readonly numEmbeddings: number;
  /** Columns D of the table. */
  readonly embeddingDim: number;
  /** Place of the first element. */
  readonly byteOffset: number;
  /** Single or half precision. */
  readonly dtype: "F32" | "F16";
}

/** A table in memory, row-major [n, D]. Throws E_SHAPE unless the rows are whole. */
export function rowsInMemory(table: Float32Array, embeddingDim: number): RowSource {
  if (table.length % embeddingDim !== 0) {
    throw new TtError("E_SHAPE", `the table has ${table.length} elements, which are no whole rows of ${embeddingDim}`);
  }
  return {
    numEmbeddings: table.length / embeddingDim,
    embeddingDim,
    read: async (begin, end) => table.subarray(begin * embeddingDim, end * embeddingDim),
  };
}

/** A table in a file. Throws E_CORRUPT if the file is shorter than the table. */
export function rowsInFile(file: ReadAt, { numEmbeddings, embeddingDim, byteOffset, dtype }: RowsInFile): RowSource {
  const rowBytes = embeddingDim * (dtype === "F32" ? 4 : 2);
  const end = byteOffset + numEmbeddings * rowBytes;
  if (end > file.byteLength) {
    throw new TtError(
      "E_CORRUPT",
      `a table of ${numEmbeddings} x ${embeddingDim} in ${dtype} from byte ${byteOffset} ends at byte ${end}, the file has ${file.byteLength}`,
    );
  }
  return {
    numEmbeddings,
    embeddingDim,
    async read(begin, end) {
      const bytes = await file.slice(byteOffset + begin * rowBytes, byteOffset + end * rowBytes);
      // Elements inside a larger buffer need not be aligned.
      const own = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
      if (dtype === "F32") return new Float32Array(own.buffer, own.byteOffset, own.length / 4);
      return decodeFloat16(new Uint16Array(own.buffer, own.byteOffset, own.length / 2));
    },
  };
}
