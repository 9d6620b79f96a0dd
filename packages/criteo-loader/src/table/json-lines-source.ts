import { TtError } from "@tt-rec/tensor";
import type { RowBlock } from "../log/row-block.ts";
import type { LogSource, RowSource, ScanState } from "../log/row-source.ts";
import { takeCells } from "./cell-rows.ts";
import { TableRows } from "./table-rows.ts";
import type { TableSchema } from "./table-schema.ts";
import { createTextHash } from "./text-hash.ts";

/** Lines that are parsed before their rows are taken. */
const LINES = 1024;

/**
 * Makes a file with a JSON object a line a source of rows: columns are keys, a missing key is a missing value, and a list column
 * is an array. Reading throws `E_ROW` with file, line and column for a line that is no object and for a bad value, beyond the rows
 * that may be skipped, and what `bytes` throws. Whole numbers beyond 2^53 are refused, since JSON's reader rounds them.
 */
export function jsonLinesSource(bytes: LogSource, schema: TableSchema): RowSource {
  return { name: bytes.name, blocks: (_, state) => readBlocks(bytes, schema, state) };
}

async function* readBlocks(source: LogSource, schema: TableSchema, state: ScanState): AsyncGenerator<RowBlock> {
  const rows = new TableRows(schema, await createTextHash());
  const names = [
    ...(schema.label === undefined ? [] : [schema.label]),
    ...[...schema.dense, ...schema.ids].map(({ column }) => column),
  ];
  let objects: Record<string, unknown>[] = [];
  let line = 0;
  const take = function* (): Generator<RowBlock> {
    const taken = objects;
    objects = [];
    const cell = (place: number, row: number): unknown => readable(taken[row], names[place]);
    yield* takeCells(source.name, schema, { names, rows: taken.length, firstRow: line - taken.length, cell }, state, rows);
  };
  for await (const text of linesOf(source, state)) {
    const value = parseObject(text);
    if (value === undefined) {
      yield* take();
      line++;
      state.lines++;
      if (++state.badRows > state.maxBadRows) {
        throw new TtError("E_ROW", `${source.name}, line ${line}: it is no JSON object`, { file: source.name, line });
      }
      continue;
    }
    objects.push(value);
    line++;
    if (objects.length === LINES) yield* take();
  }
  yield* take();
  if (rows.rows > 0) yield rows.take();
}

async function* linesOf(source: LogSource, state: ScanState): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let kept = "";
  for await (const chunk of source.chunks()) {
    state.bytes += chunk.length;
    const lines = (kept + decoder.decode(chunk, { stream: true })).split("\n");
    kept = lines.pop() ?? "";
    yield* lines;
  }
  if (kept !== "") yield kept;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** A value of an object, or one without a text where it was rounded. */
function readable(object: Record<string, unknown>, name: string): unknown {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  const isRounded = (one: unknown): boolean => typeof one === "number" && Math.abs(one) > Number.MAX_SAFE_INTEGER;
  return isRounded(value) || (Array.isArray(value) && value.some(isRounded)) ? Number.NaN : value;
}
