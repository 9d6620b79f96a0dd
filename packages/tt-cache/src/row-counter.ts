import type { NamedTensors } from "@tt-rec/tensor";

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
  /** Makes all that was counted so far weigh half as much. */
  halve(): void;
  /** The `k` most important ids, the most important first; equal ones by the smaller id, so that the answer is unique. */
  top(k: number): Uint32Array;
  /** All that is remembered, as tensors whose names begin with `counter.`. */
  state(): NamedTensors;
  /** Goes on from a state, into a counter that has counted nothing. Throws `E_MISMATCH` if it is not one of this counter's. */
  load(state: NamedTensors, numEmbeddings: number): void;
}
