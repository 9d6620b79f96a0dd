import { Message } from "apache-arrow";
import { idColumnKinds, type LogSchema } from "../log/log-schema.ts";
import type { IdColumn, RowBlock } from "../log/row-block.ts";

/** Bytes before the metadata of a message: a mark and the length of the metadata. */
const PREFIX = 8;
const CONTINUED = 0xffffffff;

/**
 * Decodes the bytes of one record batch into views of them. Arrow's metadata is read by apache-arrow, which is safe only
 * on bytes that are known to be good: check them against their checksum first. Throws an Error if they are not
 * `rows` rows of the schema.
 */
export function decodeRecordBatch(bytes: Uint8Array, rows: number, schema: LogSchema): RowBlock {
  // Views of 4-byte numbers need it; a file's slice begins there.
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const head = new DataView(aligned.buffer, aligned.byteOffset, PREFIX);
  const bodyStart = PREFIX + head.getInt32(4, true);
  if (head.getUint32(0, true) !== CONTINUED || bodyStart > aligned.length) throw new Error("it is no Arrow message");
  const message = Message.decode(aligned.subarray(PREFIX, bodyStart));
  if (!message.isRecordBatch()) throw new Error("it is another Arrow message");
  const { length, buffers } = message.header();
  if (length !== rows) throw new Error(`${length} rows were found, ${rows} expected`);

  let next = 0;
  const take = (): { readonly offset: number; readonly length: number } => {
    const buffer = buffers[next++];
    if (buffer === undefined) throw new Error(`${buffers.length} buffers were found, more are needed`);
    return { offset: aligned.byteOffset + bodyStart + buffer.offset, length: buffer.length };
  };
  /** Nothing is nullable: the validity of a column is not stored. */
  const noNulls = (): void => {
    if (take().length !== 0) throw new Error("a column has null values");
  };
  const values = (bytesPerValue: number, count: number | undefined): readonly [offset: number, count: number] => {
    const { offset, length } = take();
    const wanted = count ?? length / bytesPerValue;
    if (
      offset % bytesPerValue !== 0 ||
      wanted * bytesPerValue > length ||
      offset + length > aligned.byteOffset + aligned.length
    ) {
      throw new Error(`a column of ${length} bytes does not hold its ${wanted} values`);
    }
    return [offset, wanted];
  };

  noNulls();
  const labels = new Uint8Array(aligned.buffer, ...values(1, rows));
  let dense = new Float32Array(0);
  if (schema.dense.length > 0) {
    noNulls();
    noNulls();
    dense = new Float32Array(aligned.buffer, ...values(4, rows * schema.dense.length)) as Float32Array<ArrayBuffer>;
  }
  const ids = idColumnKinds(schema).map(({ list }): IdColumn => {
    noNulls();
    if (!list) return { words: new Uint32Array(aligned.buffer, ...values(4, rows)) };
    const offsets = new Uint32Array(aligned.buffer, ...values(4, rows + 1));
    noNulls();
    if (offsets[0] !== 0 || offsets.some((offset, row) => row > 0 && offset < offsets[row - 1])) {
      throw new Error("the offsets of a list column do not rise from 0");
    }
    return { words: new Uint32Array(aligned.buffer, ...values(4, offsets[rows])), offsets };
  });
  return { rows, labels, dense, ids };
}
