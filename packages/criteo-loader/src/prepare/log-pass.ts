import type { LogSchema } from "../log/log-schema.ts";
import type { LogSource } from "../log/log-source.ts";
import type { RowBlock } from "../log/row-block.ts";
import { type ScanState, scanRows } from "../log/scan-rows.ts";
import type { PrepareOptions, PrepareProgress } from "./prepare-options.ts";

/** One reading of all sources. */
export interface LogPass {
  /** Which pass it is. */
  readonly name: PrepareProgress["pass"];
  /** How far it has come. */
  readonly state: ScanState;
  /** The sources in order, each with its rows. */
  sources(): Iterable<{ readonly name: string; readonly blocks: AsyncGenerator<RowBlock> }>;
}

/** Starts a reading of all sources that tells its progress. */
export function startPass(
  name: PrepareProgress["pass"],
  sources: readonly LogSource[],
  schema: LogSchema,
  maxBadRows: number,
  onProgress: PrepareOptions["onProgress"],
): LogPass {
  const state: ScanState = { maxBadRows, badRows: 0, bytes: 0 };
  let rows = 0;
  async function* told(source: LogSource): AsyncGenerator<RowBlock> {
    for await (const block of scanRows(source, schema, state)) {
      rows += block.rows;
      onProgress?.({ pass: name, rows, bytes: state.bytes });
      yield block;
    }
  }
  return {
    name,
    state,
    *sources() {
      for (const source of sources) yield { name: source.name, blocks: told(source) };
    },
  };
}
