import { sha256 } from "@tt-rec/tensor";
import { AsyncByteQueue, CompressionType, compressionRegistry, Message, RecordBatchFileWriter, type Schema } from "apache-arrow";
import type { LogSchema } from "../log/log-schema.ts";
import type { RowBlock } from "../log/row-block.ts";
import type { BatchRegion, ManifestFile } from "../manifest/manifest.ts";
import { arrowSchema, recordBatch } from "./arrow-columns.ts";
import { LENGTH_PREFIX, STORED, type Zstd } from "./zstd.ts";

/** Where the parts of an Arrow file lie, known once it is written. */
export type FileLayout = Pick<ManifestFile, "rows" | "batches">;

/**
 * Writes an Arrow IPC file piece by piece, one record batch in memory at a time, and returns its layout. The columns
 * of a batch may be reused once the next is asked for; so are the bytes of a piece. With `zstd` each buffer of a batch is
 * compressed on its own, unless that makes it no smaller.
 */
export async function* writeArrowFile(
  schema: LogSchema,
  batches: AsyncIterable<RowBlock>,
  zstd?: Zstd,
): AsyncGenerator<Uint8Array, FileLayout> {
  const types = arrowSchema(schema);
  const sink = new PieceSink();
  const writer = new ArrowFileWriter({ compressionType: zstd ? CompressionType.ZSTD : null }).reset(sink, types);
  const regions: BatchRegion[] = [];
  let rows = 0;

  const header = sink.take();
  let end = header.length;
  yield header;
  for await (const batch of batches) {
    // The registry is one for the process: another user of apache-arrow may have set another codec meanwhile.
    if (zstd) compressionRegistry.set(CompressionType.ZSTD, { encode: zstd.compress, decode: zstd.decompress });
    writer.write(recordBatch(types, batch));
    const bytes = sink.take();
    regions.push({ offset: end, byteLength: bytes.length, rows: batch.rows, sha256: await sha256(bytes) });
    end += bytes.length;
    rows += batch.rows;
    yield bytes;
  }
  writer.finish();
  yield sink.take();
  return { rows, batches: regions };
}

/** Arrow's file format holds a whole stream, which starts with the schema; apache-arrow leaves it out. */
class ArrowFileWriter extends RecordBatchFileWriter {
  protected override _writeSchema(schema: Schema): this {
    super._writeSchema(schema);
    return this._writeMessage(Message.from(schema));
  }

  /**
   * Arrow wants the length of a buffer before it was compressed; apache-arrow 21.2 writes the one after (apache/arrow-js#470),
   * which its own reader ignores and others refuse.
   */
  protected override _compressBodyBuffers(buffers: ArrayBufferView[]): ReturnType<RecordBatchFileWriter["_compressBodyBuffers"]> {
    const body = super._compressBodyBuffers(buffers);
    for (const [index, { byteLength }] of buffers.entries()) {
      const prefix = body.buffers[2 * index];
      if (prefix.byteLength === 0) continue;
      const length = new DataView(prefix.buffer, prefix.byteOffset, LENGTH_PREFIX);
      if (length.getBigInt64(0, true) !== STORED) length.setBigInt64(0, BigInt(byteLength), true);
    }
    return body;
  }
}

/** Collects what a writer writes until it is taken, in memory that is used again. */
class PieceSink extends AsyncByteQueue {
  #bytes: Uint8Array = new Uint8Array(1 << 16);
  #filled = 0;

  override write(piece: Uint8Array): void {
    const end = this.#filled + piece.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.#bytes.subarray(0, this.#filled));
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.#filled);
    this.#filled = end;
  }

  /** What was written since; it holds until the next write. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#filled);
    this.#filled = 0;
    return bytes;
  }
}
