import { CompressionType, Message } from "apache-arrow";
import { denseWidth, idColumnKinds, type LogSchema } from "../log/log-schema.ts";
import type { IdColumn, RowBlock } from "../log/row-block.ts";
import { LENGTH_PREFIX, STORED, type Zstd } from "./zstd.ts";

/** Bytes before the metadata of a message: a mark and the length of the metadata. */
const PREFIX = 8;
const CONTINUED = 0xffffffff;

/**
 * Decodes the bytes of one record batch into views of them, or of its buffers decompressed by `zstd`. Arrow's metadata is
 * read by apache-arrow, which is safe only on bytes that are known to be good: check them against their checksum first.
 * Throws an Error if they are not `rows` rows of the schema, or if they are compressed and `zstd` is not given, or the reverse.
 */
export function decodeRecordBatch(bytes: Uint8Array, rows: number, schema: LogSchema, zstd?: Zstd): RowBlock {
  // Views of 4-byte numbers need it; a file's slice begins there.
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const head = new DataView(aligned.buffer, aligned.byteOffset, PREFIX);
  const bodyStart = PREFIX + head.getInt32(4, true);
  if (head.getUint32(0, true) !== CONTINUED || bodyStart > aligned.length) throw new Error("it is no Arrow message");
  const message = Message.decode(aligned.subarray(PREFIX, bodyStart));
  if (!message.isRecordBatch()) throw new Error("it is another Arrow message");
  const { length, buffers, compression } = message.header();
  if (length !== rows) throw new Error(`${length} rows were found, ${rows} expected`);

  if (compression && compression.type !== CompressionType.ZSTD) throw new Error("its compression is not zstd");
  if ((compression === null) !== (zstd === undefined)) {
    throw new Error(`it is ${compression ? "" : "not "}compressed, unlike what the manifest says`);
  }

  let next = 0;
  const take = (): Uint8Array => {
    const buffer = buffers[next++];
    if (buffer === undefined) throw new Error(`${buffers.length} buffers were found, more are needed`);
    const start = bodyStart + buffer.offset;
    const end = start + buffer.length;
    if (end > aligned.length) throw new Error(`a buffer ends at byte ${end} of ${aligned.length}`);
    const stored = aligned.subarray(start, end);
    return zstd === undefined ? stored : decompressed(stored, zstd);
  };
  /** Nothing is nullable: the validity of a column is not stored. */
  const noNulls = (): void => {
    if (take().length !== 0) throw new Error("a column has null values");
  };
  const values = (bytesPerValue: number, count: number): readonly [ArrayBufferLike, offset: number, count: number] => {
    const { buffer, byteOffset, length } = take();
    if (byteOffset % bytesPerValue !== 0 || count * bytesPerValue > length) {
      throw new Error(`a column of ${length} bytes does not hold its ${count} values`);
    }
    return [buffer, byteOffset, count];
  };

  noNulls();
  const labels = new Uint8Array(...values(1, rows));
  let dense = new Float32Array(0);
  if (denseWidth(schema) > 0) {
    noNulls();
    noNulls();
    dense = new Float32Array(...values(4, rows * denseWidth(schema))) as Float32Array<ArrayBuffer>;
  }
  const ids = idColumnKinds(schema).map(({ list }): IdColumn => {
    noNulls();
    if (!list) return { words: new Uint32Array(...values(4, rows)) };
    const offsets = new Uint32Array(...values(4, rows + 1));
    noNulls();
    if (offsets[0] !== 0 || offsets.some((offset, row) => row > 0 && offset < offsets[row - 1])) {
      throw new Error("the offsets of a list column do not rise from 0");
    }
    return { words: new Uint32Array(...values(4, offsets[rows])), offsets };
  });
  return { rows, labels, dense, ids };
}

/** The bytes of a buffer of a compressed record batch: a view of it if it is stored as it is. */
function decompressed(stored: Uint8Array, zstd: Zstd): Uint8Array {
  // Its place has no meaning then, and may not be aligned.
  if (stored.length === 0) return new Uint8Array(0);
  if (stored.length < LENGTH_PREFIX) throw new Error(`a compressed buffer of ${stored.length} bytes has no length`);
  const length = new DataView(stored.buffer, stored.byteOffset, LENGTH_PREFIX).getBigInt64(0, true);
  const content = stored.subarray(LENGTH_PREFIX);
  if (length === STORED) return content;
  const bytes = zstd.decompress(content);
  if (BigInt(bytes.length) !== length) throw new Error(`a buffer of ${length} bytes has ${bytes.length} once decompressed`);
  return bytes;
}
