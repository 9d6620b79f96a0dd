import { TtError } from "@tt-rec/tensor";

/** The columns of a raw log, in the order of the file: a label, whole numbers, then hexadecimal ids. */
export interface LogSchema {
  /** Name of the label column, 0 or 1. */
  readonly label: string;
  /** Names of the whole-number columns; may be empty. */
  readonly dense: readonly string[];
  /** Names of the id columns, at least one: each becomes an embedding table. */
  readonly ids: readonly string[];
}

function numbered(letter: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);
}

/** Criteo's logs, Kaggle and Terabyte alike: label, I1..I13, C1..C26. */
export const CRITEO_SCHEMA: LogSchema = { label: "label", dense: numbered("I", 13), ids: numbered("C", 26) };

/** Names of all columns in the order of the file. */
export function columnNames(schema: LogSchema): string[] {
  return [schema.label, ...schema.dense, ...schema.ids];
}

/** Throws `E_OPTION` unless there is an id column and every column has a name of its own. */
export function validateSchema(schema: LogSchema): void {
  if (schema.ids.length === 0) throw new TtError("E_OPTION", "the schema has no id column; at least one is needed");
  const names = columnNames(schema);
  for (const [index, name] of names.entries()) {
    if (name === "") throw new TtError("E_OPTION", `column ${index + 1} of the schema has an empty name`);
    if (names.indexOf(name) !== index) throw new TtError("E_OPTION", `the schema names two columns "${name}"`);
  }
}
