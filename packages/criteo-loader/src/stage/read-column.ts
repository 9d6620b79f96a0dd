import type { IdColumnKind } from "../log/log-schema.ts";
import type { Scratch } from "./scratch.ts";
import { bytesOf } from "./stage-rows.ts";
import { type StagedPiece, type StagedSource, scratchName } from "./staged-source.ts";

/** Ids of one column that lie together in a scratch file. */
export interface ColumnRun {
  /** Number of the source. */
  readonly source: number;
  /** Where they begin in the file, in ids. */
  readonly at: number;
  /** How many there are. */
  readonly ids: number;
}

/** Ids that are read at a time. */
export const RUN_IDS: number = 1 << 15;

/** The ids of a column in the rows [from, to) of the log, in order, in runs of at most `RUN_IDS`. */
export function* columnRuns(
  scratch: Scratch,
  stages: readonly StagedSource[],
  kinds: readonly IdColumnKind[],
  column: number,
  from: number,
  to: number,
): Generator<ColumnRun> {
  let row = 0;
  for (const { source, pieces } of stages) {
    for (const piece of pieces) {
      const first = row;
      row += piece.rows;
      const [begin, end] = [Math.max(from, first), Math.min(to, row)];
      if (begin >= end) continue;
      const span = pieceIds(scratch, source, kinds, column, piece, begin - first, end - first);
      for (let done = 0; done < span.ids; done += RUN_IDS) {
        yield { source, at: span.at + done, ids: Math.min(RUN_IDS, span.ids - done) };
      }
    }
  }
}

/** Where the ids of the rows [from, to) of a piece lie. */
export function pieceIds(
  scratch: Scratch,
  source: number,
  kinds: readonly IdColumnKind[],
  column: number,
  piece: StagedPiece,
  from: number,
  to: number,
): Omit<ColumnRun, "source"> {
  if (!kinds[column].list) return { at: piece.at + from, ids: to - from };
  const [at, ids] = piece.lists[kinds.slice(0, column).filter(({ list }) => list).length];
  if (from === 0 && to === piece.rows) return { at, ids };
  const lengths = readLengths(scratch, source, column, piece.at, to);
  const skipped = lengths.subarray(0, from).reduce((sum, length) => sum + length, 0);
  return { at: at + skipped, ids: lengths.subarray(from).reduce((sum, length) => sum + length, 0) };
}

/** Number of ids of each of some rows of a list column. */
export function readLengths(scratch: Scratch, source: number, column: number, at: number, rows: number): Uint32Array {
  const lengths = new Uint32Array(rows);
  const file = scratch.open(scratchName.lengths(source, column));
  try {
    file.read(bytesOf(lengths), 4 * at);
  } finally {
    file.close();
  }
  return lengths;
}
