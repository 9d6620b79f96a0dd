import type { NamedTensors } from "@tt-rec/tensor";
import type { RankedRows } from "./rank-rows.ts";
import type { SpreadWork } from "./spread-work.ts";

/** What is known of some ids, and all others that something may be known of. */
export interface CountsApart {
  /** What is known of each of the ids; 0 if nothing is. */
  readonly counts: Uint32Array;
  /** Finds the other ids that are counted more than `above` times, in no order. */
  others(above: number): SpreadWork<RankedRows>;
}

/** What a policy chooses rows by: how important rows were so far. */
export interface RowCounter {
  /** Bytes held. */
  readonly bytes: number;
  /** All that was counted, halved as often as the counts were. */
  readonly total: number;
  /** Counts one access for each position; an id may stand at several. */
  observe(ids: Uint32Array): void;
  /** Counts `counts[i]` accesses of `ids[i]`; no id stands twice. */
  addEach(ids: Uint32Array, counts: Uint32Array): void;
  /** What is known of one id; 0 if nothing is. */
  count(id: number): number;
  /** Makes all that was counted so far weigh half as much, with its last piece of work; nothing is counted meanwhile. */
  aging(): SpreadWork<void>;
  /** Finds the `k` most important ids; fewer if fewer are known. Nothing is counted meanwhile. */
  ranking(k: number): SpreadWork<RankedRows>;
  /** Tells some distinct ids from all others. Nothing is counted meanwhile. */
  apart(some: Uint32Array): SpreadWork<CountsApart>;
  /** All that is remembered, as tensors whose names begin with `counter.`. */
  state(): NamedTensors;
  /** Goes on from a state, into a counter that has counted nothing. Throws `E_MISMATCH` if it is not one of this counter's. */
  load(state: NamedTensors, numEmbeddings: number): void;
  /** Frees what it has on a runtime's heap; absent where that is nothing. */
  dispose?(): void;
}
