/** A run of rows that lies together in the scratch files of its source, one file a column. */
export interface StagedPiece {
  /** Number of rows. */
  readonly rows: number;
  /** Row of the scratch files where it begins. */
  readonly at: number;
  /** For each list column, in the order of the columns: id of its scratch file where it begins, and number of ids. */
  readonly lists: readonly (readonly [at: number, ids: number])[];
}

/** A source whose rows are in scratch. Pieces are in the order of the log, and lie in the files in any order. */
export interface StagedSource {
  /** Number of the source. */
  readonly source: number;
  /** Its pieces. */
  readonly pieces: readonly StagedPiece[];
}

/** Names of the scratch files of a source. */
export const scratchName = {
  labels: (source: number): string => `${source}.labels`,
  dense: (source: number): string => `${source}.dense`,
  /** Raw ids of a column. */
  raw: (source: number, column: number): string => `${source}.${column}.raw`,
  /** Number of ids of each row, of a list column. */
  lengths: (source: number, column: number): string => `${source}.${column}.lengths`,
  /** Indices of a column in first-seen order. */
  indices: (source: number, column: number): string => `${source}.${column}.indices`,
  /** Indices of a column in the order of an `IdOrder`. */
  ordered: (source: number, column: number): string => `${source}.${column}.ordered`,
};

/** Number of rows in all pieces. */
export function stagedRows(stages: readonly StagedSource[]): number {
  return stages.reduce((sum, { pieces }) => pieces.reduce((rows, piece) => rows + piece.rows, sum), 0);
}
