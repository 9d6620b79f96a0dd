import type { NamedTensors } from "@tt-rec/tensor";
import type { RankedRows } from "./rank-rows.ts";
import type { SpreadWork } from "./spread-work.ts";

/** What a policy chooses rows by: how important rows were so far. */
export interface RowCounter {
  /** Bytes held. */
  readonly bytes: number;
  /** All that was counted, halved as often as the counts were. */
  readonly total: number;
  /** Counts one access for each position; an id may stand at several. */
  observe(ids: Uint32Array): void;
  /** Counts `count` accesses of one id. */
  add(id: number, count: number): void;
  /** What is known of one id; 0 if nothing is. */
  count(id: number): number;
  /** Makes all that was counted so far weigh half as much, with its last piece of work; nothing is counted meanwhile. */
  aging(): SpreadWork<void>;
  /** Finds the `k` most important ids but for some distinct ones; fewer if fewer are known. Nothing is counted meanwhile. */
  ranking(k: number, without?: Uint32Array): SpreadWork<RankedRows>;
  /** All that is remembered, as tensors whose names begin with `counter.`. */
  state(): NamedTensors;
  /** Goes on from a state, into a counter that has counted nothing. Throws `E_MISMATCH` if it is not one of this counter's. */
  load(state: NamedTensors, numEmbeddings: number): void;
}
