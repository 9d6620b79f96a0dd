import { TtError } from "@tt-rec/tensor";
import { columnNames, type LogSchema } from "./log-schema.ts";
import { describeFault, LINE_FEED, longestRow, parseRow, type RowFault } from "./parse-row.ts";
import { createParsedRows, type ParsedRows, parsedBlock } from "./parsed-rows.ts";
import type { RowBlock } from "./row-block.ts";
import type { LogSource, ScanState } from "./row-source.ts";

/** Most rows of a block: each column of it is written to scratch in one piece of 128 KiB. */
const BLOCK_ROWS = 1 << 15;
/** Bytes kept of an unfinished line beyond the longest good row, so that every fault is found in what is kept. */
const SLACK = 16;

/**
 * Parses a source into blocks of rows. Bad rows are counted and skipped while `state` allows it; the first beyond that
 * throws `E_ROW` with file, line and column. Memory is one chunk, one block and one line.
 */
export async function* scanRows(source: LogSource, schema: LogSchema, state: ScanState): AsyncGenerator<RowBlock> {
  if (schema.wide?.length || schema.lists?.length) {
    throw new TtError("E_OPTION", `${source.name} is a log of one 32-bit id a column; the schema has wide or list columns`);
  }
  let block = createParsedRows(schema, 0);
  let scanner = createScanner(source.name, schema, state, block);
  const line = new Uint8Array(longestRow(schema) + SLACK);
  let carried = 0;
  const carry = (bytes: Uint8Array): void => {
    // A line that does not fit is bad already; the rest of it cannot change that.
    const kept = bytes.subarray(0, line.length - 1 - carried);
    line.set(kept, carried);
    carried += kept.length;
  };

  for await (const chunk of source.chunks()) {
    state.bytes += chunk.length;
    if (block.capacity === 0) {
      // A small log needs less room; a row has more than one byte.
      block = createParsedRows(schema, Math.min(BLOCK_ROWS, Math.max(chunk.length, 1)));
      scanner = createScanner(source.name, schema, state, block);
    }
    let position = 0;
    if (carried > 0) {
      const lineFeed = chunk.indexOf(LINE_FEED);
      position = lineFeed < 0 ? chunk.length : lineFeed;
      carry(chunk.subarray(0, position));
      if (lineFeed < 0) continue;
      line[carried] = LINE_FEED;
      carried = 0;
      position++;
      scanner(line, 0, 1);
      yield* full(block);
    }
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    while (position < end) {
      position = scanner(chunk, position, end);
      yield* full(block);
    }
    carry(chunk.subarray(position));
  }
  if (carried > 0) {
    line[carried] = LINE_FEED;
    scanner(line, 0, 1);
  }
  if (block.rows > 0) yield parsedBlock(block);
}

function* full(block: ParsedRows): Generator<RowBlock> {
  if (block.rows < block.capacity) return;
  yield parsedBlock(block);
  block.rows = 0;
}

/** Parses whole lines that start in [position, end) until they end or the block is full; returns where it stopped. */
type Scanner = (bytes: Uint8Array, position: number, end: number) => number;

function createScanner(file: string, schema: LogSchema, state: ScanState, block: ParsedRows): Scanner {
  const fault: RowFault = { kind: "start", position: 0, column: 0 };
  return (bytes, start, end) => {
    let position = start;
    while (position < end && block.rows < block.capacity) {
      state.lines++;
      const next = parseRow(bytes, position, block, fault);
      if (next < 0) {
        state.badRows++;
        if (state.badRows > state.maxBadRows)
          throw rowError(file, state.lines, describeFault(bytes, fault, schema), fault, schema, state);
        position = bytes.indexOf(LINE_FEED, fault.position) + 1;
      } else {
        position = next;
      }
    }
    return position;
  };
}

function rowError(file: string, line: number, reason: string, fault: RowFault, schema: LogSchema, state: ScanState): TtError {
  const allowance = state.maxBadRows > 0 ? ` (bad row ${state.badRows}, maxBadRows = ${state.maxBadRows})` : "";
  const column = columnNames(schema)[fault.column];
  return new TtError("E_ROW", `${file}, line ${line}: ${reason}${allowance}`, { file, line, column });
}
