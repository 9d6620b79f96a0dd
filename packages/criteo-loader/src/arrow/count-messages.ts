import { Message } from "apache-arrow";

const MAGIC = "ARROW1";
const CONTINUED = 0xffffffff;

/** What the messages of a file or stream add up to. */
export interface MessageCount {
  /** Record batches. */
  readonly batches: number;
  /** Rows in them. */
  readonly rows: number;
}

/**
 * Walks over the messages of an Arrow file or stream by their own lengths, and counts. apache-arrow trusts a file's
 * footer, and takes the end of the bytes, or a damaged mark, for the end of a stream; rows would be lost without a word.
 * Throws an Error if the messages do not follow each other up to an end mark.
 */
export function countMessages(bytes: Uint8Array): MessageCount {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const file = text(bytes, 0, MAGIC.length) === MAGIC;
  if (file && text(bytes, bytes.length - MAGIC.length, bytes.length) !== MAGIC)
    throw new Error("it begins as a file and does not end as one");
  const end = file ? bytes.length - MAGIC.length - 4 - view.getInt32(bytes.length - MAGIC.length - 4, true) : bytes.length;
  if (end < 8 || end > bytes.length) throw new Error("its footer has an impossible length");
  let batches = 0;
  let rows = 0;
  let position = file ? 8 : 0;
  while (position + 8 <= end) {
    if (view.getUint32(position, true) !== CONTINUED) throw new Error(`at byte ${position} no message begins`);
    const length = view.getInt32(position + 4, true);
    if (length === 0) {
      if (position + 8 === end || file) return { batches, rows };
      throw new Error(`the stream ends at byte ${position + 8} of ${end}`);
    }
    if (length < 0 || position + 8 + length > end) throw new Error(`the message at byte ${position} is longer than the file`);
    const message = Message.decode(bytes.subarray(position + 8, position + 8 + length));
    const body = Number(message.bodyLength);
    if (!(body >= 0 && position + 8 + length + body <= end)) {
      throw new Error(`the message at byte ${position} has more data than the file`);
    }
    if (message.isRecordBatch()) {
      batches++;
      rows += Number(message.header().length);
    }
    position += 8 + length + body;
  }
  throw new Error("its messages have no end mark");
}

function text(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(Math.max(0, from), to));
}
