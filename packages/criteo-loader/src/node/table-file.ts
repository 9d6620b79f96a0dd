import { readFile } from "node:fs/promises";
import type { LogSource, RowSource } from "../log/row-source.ts";
import { arrowSource } from "../table/arrow-source.ts";
import { delimitedSource } from "../table/delimited-source.ts";
import { jsonLinesSource } from "../table/json-lines-source.ts";
import type { TableSchema } from "../table/table-schema.ts";
import { logFile } from "./log-file.ts";
import { fileBytes, parquetFile } from "./parquet-file.ts";
import { readArrow } from "./read-arrow.ts";

/** A text that begins so is one JSON object a line. */
const OPENING_BRACE = 0x7b;

/** First bytes of the formats that are no text; an Arrow stream begins with the mark of its first message. */
const MAGIC: readonly [kind: "parquet" | "arrow", bytes: readonly number[]][] = [
  ["parquet", [...Buffer.from("PAR1")]],
  ["arrow", [...Buffer.from("ARROW1")]],
  ["arrow", [0xff, 0xff, 0xff, 0xff]],
];

/**
 * Makes a file a source of rows, by its first bytes: Parquet, Arrow IPC (file or stream), JSON lines, or text with a
 * header, plain or gzip. Parquet and Arrow files are decoded in worker threads with a time limit, because damaged ones may keep their decoders
 * busy for ever; an Arrow file is in memory as a whole. Reading throws what `delimitedSource`, `parquetSource` or `arrowSource` throw,
 * `E_NOT_FOUND` and `E_IO`.
 */
export function tableFile(path: string, schema: TableSchema): RowSource {
  const { identity }: LogSource = logFile(path);
  return {
    name: path,
    // Another schema makes other rows of the same file.
    identity: async () => `${await identity?.()} ${JSON.stringify(schema)}`,
    async *blocks(logSchema, state) {
      yield* (await sourceOf(path, schema)).blocks(logSchema, state);
    },
  };
}

async function sourceOf(path: string, schema: TableSchema): Promise<RowSource> {
  const bytes = await fileBytes(path);
  const head = await bytes.slice(0, Math.min(8, bytes.byteLength));
  const [kind] = MAGIC.find(([, magic]) => magic.every((byte, index) => head[index] === byte)) ?? [];
  if (kind === "parquet") return parquetFile(path, schema);
  if (kind === "arrow") return arrowSource(path, async () => readArrow(await readFile(path), { name: path }), schema);
  const text = logFile(path);
  return (await firstByte(text)) === OPENING_BRACE ? jsonLinesSource(text, schema) : delimitedSource(text, schema);
}

async function firstByte(bytes: LogSource): Promise<number | undefined> {
  for await (const chunk of bytes.chunks()) return chunk[0];
  return undefined;
}
