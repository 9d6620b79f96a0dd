import { type Data, DataType, tableFromIPC, type Vector } from "apache-arrow";
import { countMessages } from "./count-messages.ts";
import type { ForeignColumn, ForeignTable, ForeignValues } from "./foreign-table.ts";

/**
 * Turns the bytes of an Arrow file or stream into plain columns and checks that all parts have the lengths they claim.
 * apache-arrow may loop for ever on damaged bytes: call it only in a thread that can be ended. Throws an Error.
 */
export function foreignColumns(bytes: Uint8Array): ForeignTable {
  const counted = countMessages(bytes);
  const table = tableFromIPC(bytes);
  const rows = table.numRows;
  if (table.batches.length !== counted.batches && rows + counted.rows > 0) {
    throw new Error(`it lists ${table.batches.length} record batches and has ${counted.batches}`);
  }
  if (rows !== counted.rows) throw new Error(`it has ${rows} rows, its messages ${counted.rows}`);
  if (table.schema.fields.length === 0) throw new Error("it has no column");
  const columns = table.schema.fields.map(({ name, type }, column): ForeignColumn => {
    const vector = table.getChildAt(column);
    if (vector === null || vector.length !== rows) {
      throw new Error(`column ${name} has ${vector?.length} values for ${rows} rows`);
    }
    return { name, type: String(type), ...plainColumn(name, vector) };
  });
  return { rows, columns };
}

function plainColumn(name: string, vector: Vector): Omit<ForeignColumn, "name" | "type"> {
  const { type } = vector;
  const valid = validity(vector);
  if (DataType.isList(type) || DataType.isFixedSizeList(type)) {
    const parts = vector.data.map((data) => listPart(name, data));
    const offsets = new Uint32Array(vector.length + 1);
    let row = 0;
    for (const { lengths } of parts) for (const length of lengths) offsets[++row] = offsets[row - 1] + length;
    return { values: joined(parts.map(({ values }) => values)), offsets, ...(valid && { valid }) };
  }
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type) || (DataType.isDictionary(type) && DataType.isUtf8(type.dictionary))) {
    const values: string[] = [];
    for (let row = 0; row < vector.length; row++) values.push(valid?.[row] === 0 ? "" : textOf(name, vector.get(row)));
    return { values, ...(valid && { valid }) };
  }
  return { values: joined(vector.data.map((data) => numbers(name, data, 0, data.length))), ...(valid && { valid }) };
}

function textOf(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw new Error(`column ${name} has a text that cannot be read`);
}

function validity(vector: Vector): Uint8Array | undefined {
  if (vector.nullCount === 0) return undefined;
  return Uint8Array.from({ length: vector.length }, (_, row) => (vector.isValid(row) ? 1 : 0));
}

/** Values [from, to) of a numeric column, counted as its rows are. */
function numbers(name: string, data: Data, from: number, to: number): Exclude<ForeignValues, string[]> {
  const { type } = data;
  if (DataType.isBool(type)) {
    const { values } = data as Data<typeof type>;
    const end = data.offset + to;
    if (values.length * 8 < end) throw new Error(`column ${name} has ${values.length * 8} bits, ${end} are needed`);
    return Uint8Array.from(
      { length: to - from },
      (_, i) => (values[(data.offset + from + i) >> 3] >> ((data.offset + from + i) & 7)) & 1,
    );
  }
  const number = DataType.isInt(type) || (DataType.isFloat(type) && type.precision > 0);
  if (!number) throw new Error(`column ${name} has the type ${type}, which is not read`);
  const values = data.values as Exclude<ForeignValues, string[]>;
  // apache-arrow has cut the values to the part that the offset names.
  if (values.length < to) throw new Error(`column ${name} has ${values.length} values, ${to} are needed`);
  return values.slice(from, to);
}

function listPart(name: string, data: Data): { values: Exclude<ForeignValues, string[]>; lengths: number[] } {
  const [child] = data.children;
  if (child === undefined) throw new Error(`list column ${name} has no items`);
  if (DataType.isFixedSizeList(data.type)) {
    const { listSize } = data.type;
    if (listSize < 0) throw new Error(`column ${name} has lists of ${listSize} items`);
    const from = data.offset * listSize;
    const lengths = Array.from({ length: data.length }, () => listSize);
    return { values: numbers(name, child, from, from + data.length * listSize), lengths };
  }
  const offsets = (data as Data<DataType>).valueOffsets as Int32Array;
  if (offsets.length < data.length + 1)
    throw new Error(`list column ${name} has ${offsets.length} offsets for ${data.length} rows`);
  const lengths = Array.from({ length: data.length }, (_, row) => offsets[row + 1] - offsets[row]);
  if (offsets[0] < 0 || lengths.some((length) => length < 0)) throw new Error(`the offsets of list column ${name} fall`);
  return { values: numbers(name, child, offsets[0], offsets[data.length]), lengths };
}

function joined(parts: readonly Exclude<ForeignValues, string[]>[]): ForeignValues {
  if (parts.length === 0) return new Uint8Array(0);
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const all = new (parts[0].constructor as new (length: number) => Exclude<ForeignValues, string[]>)(total);
  let at = 0;
  for (const part of parts) {
    all.set(part as never, at);
    at += part.length;
  }
  return all;
}
