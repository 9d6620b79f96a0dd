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

/** The `k` most counted of distinct ids, the most counted first, equal ones by the smaller id. Ids without a count are left out. */
export function mostCounted(ids: Uint32Array, counts: ArrayLike<number>, k: number): Uint32Array {
  const threshold = kthLargest(counts, k);
  const above: number[] = [];
  const tied: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (counts[i] > threshold) above.push(i);
    else if (counts[i] === threshold && threshold > 0) tied.push(ids[i]);
  }
  above.sort((a, b) => counts[b] - counts[a] || ids[a] - ids[b]);
  const best = above.map((i) => ids[i]);
  // Early on most ids were seen once: sorting them natively takes a moment, by a comparison it takes seconds.
  const ties = new Uint32Array(tied).sort().subarray(0, k - best.length);
  return Uint32Array.from([...best, ...ties]);
}

/** Sorting numbers natively is far cheaper than sorting all ids by a comparison. */
function kthLargest(counts: ArrayLike<number>, k: number): number {
  const sorted = Float64Array.from(counts).sort();
  return k >= sorted.length ? 0 : (sorted[sorted.length - k] ?? Number.POSITIVE_INFINITY);
}
