import { Field, FixedSizeList, Float32, makeData, RecordBatch, Schema, Struct, Uint8, Uint32 } from "apache-arrow";
import type { LogSchema } from "../log/log-schema.ts";
import type { RowColumns } from "./row-columns.ts";

/** Name of the Arrow column of whole numbers; absent if the log has none. */
export const DENSE = "dense";
/** Name of the Arrow column of indices. */
export const IDS = "ids";
/** Name of the Arrow column of labels. */
export const LABEL = "label";

/** The Arrow schema: label uint8, dense fixed_size_list<float32>[F], ids fixed_size_list<uint32>[T], nothing nullable. */
export function arrowSchema({ dense, ids }: LogSchema): Schema {
  return new Schema([
    new Field(LABEL, new Uint8(), false),
    ...(dense.length === 0
      ? []
      : [new Field(DENSE, new FixedSizeList(dense.length, new Field("item", new Float32(), false)), false)]),
    new Field(IDS, new FixedSizeList(ids.length, new Field("item", new Uint32(), false)), false),
  ]);
}

/** Makes an Arrow record batch of the first `rows` rows, without copying them. */
export function recordBatch(schema: Schema, columns: RowColumns, rows: number): RecordBatch {
  const children = schema.fields.map((field) => {
    if (field.name === LABEL)
      return makeData({ type: new Uint8(), length: rows, nullCount: 0, data: columns.labels.subarray(0, rows) });
    const type = field.type as FixedSizeList<Float32 | Uint32>;
    const length = rows * type.listSize;
    const child =
      field.name === DENSE
        ? makeData({ type: new Float32(), length, nullCount: 0, data: columns.dense.subarray(0, length) })
        : makeData({ type: new Uint32(), length, nullCount: 0, data: columns.ids.subarray(0, length) });
    return makeData({ type, length: rows, nullCount: 0, child });
  });
  const type = new Struct(schema.fields);
  return new RecordBatch(schema, makeData({ type, length: rows, nullCount: 0, children }));
}
