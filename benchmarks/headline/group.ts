import type { IndexFiles } from "./indices.ts";
import type { PeerRun } from "./peers.ts";
import type { Row } from "./row.ts";
import type { Session } from "./session.ts";

/** What every group gets. */
export interface Context {
  /** Rounds to measure. */
  readonly rounds: number;
  /** Time for a case of ours in a round, in ms. */
  readonly budgetMs: number;
  /** The folder of the peers' programs. */
  readonly peers: string;
  /** A folder for files that go when the program ends. */
  readonly temporary: string;
  /** The lookups, made at the first call. */
  readonly indices: () => Promise<IndexFiles>;
}

/** Rows that are measured together: their rounds run before the next group's begin, so that memory is held only meanwhile. */
export interface Group {
  /** Name for progress messages. */
  readonly name: string;
  /** The lines that it gives. */
  readonly rows: readonly Row[];
  /** Programs that run once a round, before ours. */
  readonly peers: readonly PeerRun[];
  /** Adds our cases. */
  readonly open: (session: Session, context: Context) => void;
}
