import { RecordBatchReader, RecordBatchStreamWriter } from "apache-arrow";
import type { LogSchema } from "../log/log-schema.ts";
import { arrowSchema, DENSE, IDS, LABEL } from "./arrow-columns.ts";
import type { RowColumns } from "./row-columns.ts";

/** Decodes the bytes of one record batch into columns at a row. Throws an Error if they are not such a batch. */
export type RecordBatchDecoder = (bytes: Uint8Array, rows: number, into: RowColumns, at: number) => void;

/**
 * Makes a decoder for record batches of a schema. Arrow's reader is safe only on bytes that are known to be good:
 * check them against their checksum first.
 */
export function recordBatchDecoder(schema: LogSchema): RecordBatchDecoder {
  // The schema message comes from the manifest, so that a stream of two messages can be read without the file's head.
  const header = schemaMessage(schema);
  return (bytes, rows, into, at) => {
    const stream = new Uint8Array(header.length + bytes.length);
    stream.set(header);
    stream.set(bytes, header.length);
    const batch = RecordBatchReader.from(stream).next().value;
    if (batch?.numRows !== rows) throw new Error(`${batch?.numRows} rows were found, ${rows} expected`);
    into.labels.set(first(batch.getChild(LABEL)?.data[0].values, rows), at);
    const denseCount = schema.dense.length;
    if (denseCount > 0) {
      into.dense.set(first(batch.getChild(DENSE)?.data[0].children[0].values, rows * denseCount), at * denseCount);
    }
    const idCount = schema.ids.length;
    into.ids.set(first(batch.getChild(IDS)?.data[0].children[0].values, rows * idCount), at * idCount);
  };
}

/** The first values of a column; padding may follow them. */
function first<T extends Uint8Array | Float32Array | Uint32Array>(values: T | undefined, count: number): T {
  if (values === undefined || values.length < count) throw new Error(`a column has ${values?.length} values, not ${count}`);
  return values.subarray(0, count) as T;
}

/** A stream without record batches is the schema message and an end mark of 8 bytes. */
function schemaMessage(schema: LogSchema): Uint8Array {
  const writer = new RecordBatchStreamWriter().reset(undefined, arrowSchema(schema));
  const bytes = writer.finish().toUint8Array(true);
  return bytes.subarray(0, bytes.length - 8);
}
