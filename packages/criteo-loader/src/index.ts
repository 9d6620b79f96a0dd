export type { DatasetBatch, IdBags } from "./dataset/batch.ts";
export { type BatchOptions, type Dataset, openDataset } from "./dataset/open-dataset.ts";
export { verifyDataset } from "./dataset/verify-dataset.ts";
export type { Shuffle } from "./dataset/window-plan.ts";
export { type Encoder, openEncoder } from "./dictionary/encoder.ts";
export { type GenerateOptions, generateLog } from "./generator/generate-log.ts";
export { tableBytes as dictionaryBytes } from "./learn/id-table.ts";
export { logRows } from "./log/log-rows.ts";
export { CRITEO_SCHEMA, type LogSchema } from "./log/log-schema.ts";
export type { IdColumn, RowBlock } from "./log/row-block.ts";
export type { LogSource, RowSource, ScanState, SourceFacts, SourceRecipe } from "./log/row-source.ts";
export type { BatchRegion, DictionaryFile, Manifest, ManifestFile, SourceRows, Split } from "./manifest/manifest.ts";
export type { IdOrderName } from "./order/id-order.ts";
export type { RowShape } from "./order/similarity-order.ts";
export { prepare } from "./prepare/prepare.ts";
export type { Compression, PreparedWith, PrepareOptions, PrepareProgress } from "./prepare/prepare-options.ts";
export type { SplitByDays, SplitByFractions, SplitByRanges, SplitRule } from "./prepare/split-rows.ts";
export { arrowSource } from "./table/arrow-source.ts";
export { delimitedSource } from "./table/delimited-source.ts";
export { jsonLinesSource } from "./table/json-lines-source.ts";
export { type NegativeOptions, withNegatives } from "./table/negatives.ts";
export { type OpenFile, parquetSource } from "./table/parquet-source.ts";
export {
  type CategoricalColumn,
  type DenseColumn,
  logSchemaOf,
  parseTableSchema,
  type TableSchema,
} from "./table/table-schema.ts";
