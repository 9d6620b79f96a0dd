import { readFile } from "node:fs/promises";
import {
  CRITEO_SCHEMA,
  type LogSchema,
  logRows,
  logSchemaOf,
  parseTableSchema,
  type RowSource,
  type TableSchema,
} from "@tt-rec/criteo-loader";
import { logFile, tableFile } from "@tt-rec/criteo-loader/node";
import { TtError } from "@tt-rec/tensor";

/** Criteo's columns in a file that names them. */
const CRITEO_TABLE: TableSchema = {
  dense: CRITEO_SCHEMA.dense.map((column) => ({ column, transform: "log" })),
  ids: CRITEO_SCHEMA.ids.map((column) => ({ column, type: "hex", list: false })),
};

/**
 * Opens files with raw rows, whose labels are not read: by the schema file of their table, or without one as Criteo's, which may be
 * its own tab-separated format, with or without labels, or a table that names the columns. Throws `E_MISMATCH` unless the columns
 * are those of the data set that the model was trained on, `E_NOT_FOUND` if there is no schema file.
 */
export async function rawRows(files: readonly string[], schemaFile: string, trainedOn: LogSchema): Promise<RowSource[]> {
  const columns = schemaFile === "" ? CRITEO_TABLE : await readSchema(schemaFile);
  // Flags of missing numbers are a choice of prepare, not of the schema alone.
  const flags = trainedOn.flags ?? [];
  const schema = { ...columns, dense: columns.dense.map((one) => ({ ...one, flag: flags.includes(one.column) })) };
  const asked = { ...logSchemaOf(schema), label: trainedOn.label };
  if (JSON.stringify(sorted(asked)) !== JSON.stringify(sorted(trainedOn))) {
    const what = schemaFile === "" ? "Criteo's columns" : `the columns of ${schemaFile}`;
    throw new TtError("E_MISMATCH", `${what} are not those of the data set; --schema names the schema that it was prepared with`);
  }
  return Promise.all(
    files.map(async (file) =>
      schemaFile === "" && (await isCriteoLog(file)) ? logRows(logFile(file)) : tableFile(file, schema),
    ),
  );
}

function sorted({ label, dense, ids, wide = [], lists = [], flags = [] }: LogSchema): Required<LogSchema> {
  return { label, dense, ids, wide, lists, flags };
}

async function readSchema(path: string): Promise<TableSchema> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new TtError("E_NOT_FOUND", `the schema ${path} cannot be read`, { file: path }, { cause });
  });
  const { label: _label, negatives: _negatives, ...unlabelled } = parseTableSchema(text);
  return unlabelled;
}

/** Criteo's own format names no columns: a line begins with a digit, a minus, or, without a label, the tab behind an empty field. */
async function isCriteoLog(path: string): Promise<boolean> {
  for await (const chunk of logFile(path).chunks()) return /^[\d\t-]/.test(String.fromCharCode(chunk[0]));
  return true;
}
