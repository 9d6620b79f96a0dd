import { Field, FixedSizeList, Float32, List, makeData, RecordBatch, Schema, Struct, Uint8, Uint32 } from "apache-arrow";
import { denseWidth, idColumnKinds, type LogSchema } from "../log/log-schema.ts";
import type { RowBlock } from "../log/row-block.ts";

/**
 * The Arrow schema: label uint8, dense fixed_size_list<float32>[F] if there are dense columns, and a uint32 column for each
 * id column, list<uint32> for a list column; nothing nullable.
 *
 * A column each, not one list of all ids: a model takes the ids of a table side by side, so a batch within a record batch
 * is a view. Lists of 26 ids a row had to be turned around for each batch: 1.8 Mrow/s on an idle machine, against 2.4 to
 * 3.5 Mrow a second of processor time, checksums included, on a busy one.
 */
export function arrowSchema(schema: LogSchema): Schema {
  const kinds = idColumnKinds(schema);
  const dense = new FixedSizeList(denseWidth(schema), new Field("item", new Float32(), false));
  return new Schema([
    new Field("label", new Uint8(), false),
    ...(denseWidth(schema) === 0 ? [] : [new Field("dense", dense, false)]),
    ...schema.ids.map((name, column) => {
      const list = new List(new Field("item", new Uint32(), false));
      return new Field(name, kinds[column].list ? list : new Uint32(), false);
    }),
  ]);
}

/** Makes an Arrow record batch of a block whose ids are indices, without copying it. */
export function recordBatch(types: Schema, { rows, labels, dense, ids }: RowBlock): RecordBatch {
  const denseFields = types.fields.length - 1 - ids.length;
  const children = types.fields.map(({ type }, field) => {
    if (field === 0) return makeData({ type: new Uint8(), length: rows, nullCount: 0, data: labels });
    if (field === denseFields) {
      const child = makeData({ type: new Float32(), length: dense.length, nullCount: 0, data: dense });
      return makeData({ type: type as FixedSizeList<Float32>, length: rows, nullCount: 0, child });
    }
    const { words, offsets } = ids[field - 1 - denseFields];
    const child = makeData({ type: new Uint32(), length: words.length, nullCount: 0, data: words });
    if (offsets === undefined) return child;
    const valueOffsets = new Int32Array(offsets.buffer, offsets.byteOffset, offsets.length);
    return makeData({ type: type as List<Uint32>, length: rows, nullCount: 0, valueOffsets, child });
  });
  const type = new Struct(types.fields);
  return new RecordBatch(types, makeData({ type, length: rows, nullCount: 0, children }));
}
