import { TtError } from "@tt-rec/tensor";

/** The columns of a raw log, in the order of the file: a label, whole numbers, then hexadecimal ids. */
export interface LogSchema {
  /** Name of the label column, 0 or 1. */
  readonly label: string;
  /** Names of the whole-number columns; may be empty. */
  readonly dense: readonly string[];
  /** Names of the id columns, at least one: each becomes an embedding table. */
  readonly ids: readonly string[];
  /** Id columns whose raw values have 64 bits: whole numbers beyond 32 bits, or hashes of texts. Default none. */
  readonly wide?: readonly string[];
  /** Id columns with any number of ids a row. Default none. */
  readonly lists?: readonly string[];
  /** Whole-number columns with a flag: a dense feature that is 1 where the number is missing, behind all numbers. Default none. */
  readonly flags?: readonly string[];
}

/** Dense features of a row: a number a column, and the flags. */
export function denseWidth({ dense, flags = [] }: LogSchema): number {
  return dense.length + flags.length;
}

/** How the ids of a column are stored. */
export interface IdColumnKind {
  /** Words a raw id takes: 1, or 2 if the column is wide. */
  readonly words: 1 | 2;
  /** Whether a row has any number of ids. */
  readonly list: boolean;
}

/** How the ids of each column are stored. */
export function idColumnKinds({ ids, wide = [], lists = [] }: LogSchema): IdColumnKind[] {
  return ids.map((name) => ({ words: wide.includes(name) ? 2 : 1, list: lists.includes(name) }));
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

/**
 * Throws `E_OPTION` unless there is an id column, every column has a name of its own, what is wide or a list is an id column,
 * and what has a flag a whole-number column, once.
 */
export function validateSchema(schema: LogSchema): void {
  if (schema.ids.length === 0) throw new TtError("E_OPTION", "the schema has no id column; at least one is needed");
  const names = columnNames(schema);
  for (const [index, name] of names.entries()) {
    if (name === "") throw new TtError("E_OPTION", `column ${index + 1} of the schema has an empty name`);
    if (names.indexOf(name) !== index) throw new TtError("E_OPTION", `the schema names two columns "${name}"`);
  }
  for (const name of [...(schema.wide ?? []), ...(schema.lists ?? [])]) {
    if (!schema.ids.includes(name)) throw new TtError("E_OPTION", `"${name}" is no id column of the schema`);
  }
  for (const [index, name] of (schema.flags ?? []).entries()) {
    if (!schema.dense.includes(name)) throw new TtError("E_OPTION", `"${name}" is no whole-number column of the schema`);
    if (schema.flags?.indexOf(name) !== index) throw new TtError("E_OPTION", `"${name}" has two flags`);
  }
}
