import type { LogSchema } from "../log/log-schema.ts";
import type { RowRange } from "../prepare/split-rows.ts";

/*
 * The preparation in SQL that other engines know as well: count, sum, group by, join, row_number, cast and coalesce. Only
 * the reading of a file and the cast of hexadecimal digits are DuckDB's own. Columns are d0, d1, … (whole numbers) and c0, c1, …
 * (raw ids), because names of a log may be anything.
 */

/** Makes the table of raw rows. */
export function createRaw({ dense, ids }: LogSchema): string {
  const columns = [...dense.map((_, i) => `d${i} bigint`), ...ids.map((_, j) => `c${j} uinteger`)];
  return `create table raw (place bigint, label utinyint, ${columns.join(", ")})`;
}

/** Appends the rows of a file, whose first has the number `firstRow`. */
export function readFile(path: string, gzip: boolean, schema: LogSchema, firstRow: number, maxIndexRange: number | null): string {
  const { dense, ids } = schema;
  const names = ["label", ...dense.map((_, i) => `d${i}`), ...ids.map((_, j) => `c${j}`)];
  const types = names.map((name) => `'${name}': 'varchar'`).join(", ");
  const modulo = maxIndexRange === null || maxIndexRange === 2 ** 32 ? "" : ` % ${maxIndexRange}`;
  const values = [
    `row_number() over () + ${firstRow - 1}`,
    "cast(label as utinyint)",
    ...dense.map((_, i) => `coalesce(cast(d${i} as bigint), 0)`),
    ...ids.map((_, j) => `coalesce(cast('0x' || c${j} as uinteger), 0)${modulo}`),
  ];
  const options = [
    text(path),
    `columns = {${types}}`,
    `compression = '${gzip ? "gzip" : "none"}'`,
    "delim = '\t', quote = '', escape = '', header = false, auto_detect = false",
  ];
  return `insert into raw select ${values.join(", ")} from read_csv(${options.join(", ")})`;
}

/** Makes the dictionary of id column `column`: most frequent value of the training rows first, the smaller one on ties. */
export function createDictionary(column: number, train: RowRange, minFrequency: number): string {
  const counted = `select c${column} as value, count(*) as n from raw where ${within(train)} group by c${column}`;
  const places = "select value, n, row_number() over (order by n desc, value asc) as place";
  return `create table dictionary${column} as ${places} from (${counted}) as counted where n >= ${minFrequency}`;
}

/** A dictionary in the order of its indices: value (uinteger), count (uinteger). */
export function selectDictionary(column: number): string {
  return `select value, cast(n as uinteger) from dictionary${column} order by place`;
}

/** Rows with indices, in the order of the log: label (utinyint), whole numbers (bigint), indices (uinteger). */
export function selectEncoded({ dense, ids }: LogSchema, range: RowRange): string {
  const values = [
    "raw.label",
    ...dense.map((_, i) => `raw.d${i}`),
    ...ids.map((_, j) => `cast(coalesce(t${j}.place, 0) as uinteger)`),
  ];
  const joins = ids.map((_, j) => `left join dictionary${j} as t${j} on t${j}.value = raw.c${j}`);
  return `select ${values.join(", ")} from raw ${joins.join(" ")} where ${within(range, "raw.")} order by raw.place`;
}

/** Number of rows. */
export const COUNT_ROWS = "select count(*) from raw";

function within({ from, to }: RowRange, table = ""): string {
  return `${table}place >= ${from} and ${table}place < ${to}`;
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
