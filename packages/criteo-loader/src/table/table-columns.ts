import type { RecordFields } from "./scan-record.ts";
import { idRule, type TableRows } from "./table-rows.ts";
import type { TableSchema } from "./table-schema.ts";

/** Where the columns of a schema stand among those of a file. */
export interface ColumnPlaces {
  /** Columns of the file. */
  readonly width: number;
  /** Place of the label, or −1 if the schema has none. */
  readonly label: number;
  /** Places of the dense columns. */
  readonly dense: readonly number[];
  /** Places of the id columns. */
  readonly ids: readonly number[];
}

/** Finds the columns of a schema among the names of a file's; says in words what is wrong if it cannot. */
export function columnPlaces({ label, dense, ids }: TableSchema, names: readonly string[]): ColumnPlaces | string {
  const wanted = [
    ...(label === undefined ? [] : [label]),
    ...dense.map(({ column }) => column),
    ...ids.map(({ column }) => column),
  ];
  for (const name of wanted) {
    if (!names.includes(name)) return `there is no column "${name}"; there are ${names.map((known) => `"${known}"`).join(", ")}`;
    if (names.indexOf(name) !== names.lastIndexOf(name)) return `there are two columns "${name}"`;
  }
  return {
    width: names.length,
    label: label === undefined ? -1 : names.indexOf(label),
    dense: dense.map(({ column }) => names.indexOf(column)),
    ids: ids.map(({ column }) => names.indexOf(column)),
  };
}

/** Why a field was refused. */
export interface FieldFault {
  /** The rule and the value. */
  readonly reason: string;
  /** Name of the column. */
  readonly column: string;
}

/** Takes the fields of a record into a row that is not kept yet. */
export function takeFields(
  schema: TableSchema,
  { label, dense, ids }: ColumnPlaces,
  rows: TableRows,
  bytes: Uint8Array,
  { starts, ends }: RecordFields,
): FieldFault | undefined {
  const refused = (column: string, place: number, rule: string): FieldFault => ({
    reason: `column ${column} is not ${rule}: ${shown(bytes, starts[place], ends[place])} was found`,
    column,
  });
  if (schema.label !== undefined && !rows.label(bytes, starts[label], ends[label])) return refused(schema.label, label, "0 or 1");
  for (let i = 0; i < dense.length; i++) {
    const place = dense[i];
    if (!rows.number(i, bytes, starts[place], ends[place])) return refused(schema.dense[i].column, place, "a number");
  }
  for (let i = 0; i < ids.length; i++) {
    const place = ids[i];
    if (!rows.ids(i, bytes, starts[place], ends[place])) return refused(schema.ids[i].column, place, idRule(schema.ids[i]));
  }
  return undefined;
}

/** The beginning of a field as a JSON text. */
function shown(bytes: Uint8Array, from: number, to: number): string {
  return JSON.stringify(new TextDecoder().decode(bytes.subarray(from, Math.min(to, from + 40))));
}
