import { TtError } from "@tt-rec/tensor";
import { type LogSchema, validateSchema } from "../log/log-schema.ts";
import type { NegativeOptions } from "./negatives.ts";

/** A column of numbers. */
export interface DenseColumn {
  /** Name of the column. */
  readonly column: string;
  /** "log": ln(x + 1), 0 if x is negative, as for counts; "none": the number itself. A missing number is 0. */
  readonly transform: "log" | "none";
  /** Whether a further feature is 1 where the number is missing. Default false. */
  readonly flag?: boolean;
}

/** A column of ids, which becomes an embedding table. */
export interface CategoricalColumn {
  /** Name of the column. */
  readonly column: string;
  /** "text": any text, told apart by a 64-bit hash; "integer": decimal, below 2^32; "hex": up to 8 hexadecimal digits. */
  readonly type: "text" | "integer" | "hex";
  /** Whether a row has a list of ids. */
  readonly list: boolean;
  /** What stands between the ids of a list that is written as text: one ASCII character. */
  readonly separator?: string;
}

/** How the columns of a table are used. Columns that it does not name are left out. */
export interface TableSchema {
  /** Name of the label column: 0 or 1. Absent if every row is a positive one and negatives are drawn. */
  readonly label?: string;
  /** Number columns; may be empty. */
  readonly dense: readonly DenseColumn[];
  /** Id columns, at least one. */
  readonly ids: readonly CategoricalColumn[];
  /** What stands between two fields of a text file: one ASCII character. Default: a tab if the header has one, or a comma. */
  readonly delimiter?: string;
  /** What encloses fields of a text file that hold the delimiter: one ASCII character, or "" for none. Default ", and "" behind a tab. */
  readonly quote?: string;
  /** Rows to draw for implicit data. */
  readonly negatives?: NegativeOptions;
}

type Json = Record<string, unknown>;

/**
 * Reads a schema file: JSON as docs/formats.md describes it. Throws `E_OPTION` naming the place and the rule; unknown keys
 * are refused.
 */
export function parseTableSchema(text: string): TableSchema {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TtError("E_OPTION", `the schema is not JSON: ${(cause as Error).message}`, {}, { cause });
  }
  const json = object(value, "the schema", ["label", "dense", "ids", "delimiter", "quote", "negatives"]);
  const schema: TableSchema = {
    ...(json.label !== undefined && { label: string(json.label, "label") }),
    dense: list(json.dense ?? [], "dense").map((entry, i) => denseColumn(entry, `dense[${i}]`)),
    ids: list(json.ids ?? [], "ids").map((entry, i) => categoricalColumn(entry, `ids[${i}]`)),
    ...(json.delimiter !== undefined && { delimiter: character(json.delimiter, "delimiter") }),
    ...(json.quote !== undefined && { quote: json.quote === "" ? "" : character(json.quote, "quote") }),
    ...(json.negatives !== undefined && { negatives: negativeOptions(json.negatives) }),
  };
  validateSchema(logSchemaOf(schema));
  checkNegatives(schema);
  if (schema.delimiter !== undefined && schema.delimiter === schema.quote)
    refuse("delimiter", schema.delimiter, "another character than quote");
  return schema;
}

/** The columns as the rest of the loader knows them. */
export function logSchemaOf({ label = "label", dense, ids }: TableSchema): LogSchema {
  const named = (kind: (column: CategoricalColumn) => boolean): string[] => ids.filter(kind).map(({ column }) => column);
  const wide = named(({ type }) => type === "text");
  const lists = named((column) => column.list);
  const flags = dense.filter(({ flag }) => flag === true).map(({ column }) => column);
  return {
    label,
    dense: dense.map(({ column }) => column),
    ids: ids.map(({ column }) => column),
    ...(wide.length > 0 && { wide }),
    ...(lists.length > 0 && { lists }),
    ...(flags.length > 0 && { flags }),
  };
}

function denseColumn(value: unknown, path: string): DenseColumn {
  if (typeof value === "string") return { column: value, transform: "log" };
  const { column, transform = "log", flag } = object(value, path, ["column", "transform", "flag"]);
  if (flag !== undefined && typeof flag !== "boolean") refuse(`${path}.flag`, flag, "true or false");
  return {
    column: string(column, `${path}.column`),
    transform: choice(transform, `${path}.transform`, ["log", "none"]),
    ...(flag === true && { flag }),
  };
}

function categoricalColumn(value: unknown, path: string): CategoricalColumn {
  if (typeof value === "string") return { column: value, type: "text", list: false };
  const json = object(value, path, ["column", "type", "list"]);
  const separator = typeof json.list === "string" ? character(json.list, `${path}.list`) : undefined;
  if (json.list !== undefined && separator === undefined && typeof json.list !== "boolean") {
    refuse(`${path}.list`, json.list, "true, or the character between two ids");
  }
  return {
    column: string(json.column, `${path}.column`),
    type: choice(json.type ?? "text", `${path}.type`, ["text", "integer", "hex"]),
    list: json.list !== undefined && json.list !== false,
    ...(separator !== undefined && { separator }),
  };
}

function negativeOptions(value: unknown): NegativeOptions {
  const json = object(value, "negatives", ["user", "item", "perPositive", "seed"]);
  const { perPositive, seed = 1 } = json;
  if (!(Number.isSafeInteger(perPositive) && (perPositive as number) >= 1)) {
    refuse("negatives.perPositive", perPositive, "a whole number of at least 1");
  }
  if (!(Number.isSafeInteger(seed) && (seed as number) >= 0 && (seed as number) < 2 ** 32)) {
    refuse("negatives.seed", seed, "a whole number of 0 to 4294967295");
  }
  return {
    user: string(json.user, "negatives.user"),
    item: string(json.item, "negatives.item"),
    perPositive: perPositive as number,
    seed: seed as number,
  };
}

function checkNegatives({ label, ids, negatives }: TableSchema): void {
  if (negatives === undefined) {
    if (label === undefined) throw new TtError("E_OPTION", "the schema has neither a label nor negatives; one of them is needed");
    return;
  }
  if (label !== undefined)
    throw new TtError("E_OPTION", "the schema has a label and negatives; they are drawn for rows without labels");
  for (const role of ["user", "item"] as const) {
    const column = ids.find((known) => known.column === negatives[role]);
    if (column === undefined || column.list) refuse(`negatives.${role}`, negatives[role], "an id column without lists");
  }
  if (negatives.user === negatives.item) refuse("negatives.item", negatives.item, "another column than negatives.user");
}

function object(value: unknown, path: string, keys: readonly string[]): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(path, value, "an object");
  for (const key of Object.keys(value))
    if (!keys.includes(key)) throw new TtError("E_OPTION", `${path} has the unknown key "${key}"`);
  return value as Json;
}

function list(value: unknown, path: string): unknown[] {
  return Array.isArray(value) ? value : refuse(path, value, "a list");
}

function string(value: unknown, path: string): string {
  return typeof value === "string" ? value : refuse(path, value, "a text");
}

function character(value: unknown, path: string): string {
  if (typeof value === "string" && /^[\t\x20-\x7e]$/.test(value)) return value;
  return refuse(path, value, "one printable ASCII character or a tab");
}

function choice<T extends string>(value: unknown, path: string, choices: readonly T[]): T {
  return choices.find((known) => known === value) ?? refuse(path, value, `one of ${choices.join(", ")}`);
}

function refuse(path: string, value: unknown, rule: string): never {
  throw new TtError("E_OPTION", `${path} = ${JSON.stringify(value)} is not ${rule}`);
}
