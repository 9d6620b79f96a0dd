export type { ForeignColumn, ForeignTable, ForeignValues } from "./arrow/foreign-table.ts";
export { logFile } from "./node/log-file.ts";
export { type PrepareFilesOptions, prepareFiles } from "./node/prepare-files.ts";
export { type DuckdbOptions, prepareInDuckdb } from "./node/prepare-in-duckdb.ts";
export { type ReadArrowOptions, readArrow } from "./node/read-arrow.ts";
export { tableFile } from "./node/table-file.ts";
