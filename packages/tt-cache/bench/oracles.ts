/** Hits of a cache that always holds the rows accessed most over the whole trace: the best that never changes. */
export function staticHits(trace: Uint32Array, rows: number, capacity: number): number {
  const counts = new Uint32Array(rows);
  for (const row of trace) counts[row]++;
  const best = counts.sort().subarray(Math.max(0, rows - capacity));
  return best.reduce((sum, count) => sum + count, 0);
}

/** Hits of a cache that takes every row and drops the one that was used longest ago. */
export function lruHits(trace: Uint32Array, capacity: number): number {
  const held = new Map<number, true>();
  let hits = 0;
  for (const row of trace) {
    if (held.delete(row)) hits++;
    else if (held.size === capacity) held.delete(held.keys().next().value as number);
    held.set(row, true);
  }
  return hits;
}

const NEVER = 0x7fffffff;

/** Hits of a cache that knows the future and may pass a row by (Belady with bypass): no cache has more. */
export function beladyHits(trace: Uint32Array, rows: number, capacity: number): number {
  const nextUse = new Int32Array(trace.length);
  const upcoming = new Int32Array(rows).fill(NEVER);
  for (let at = trace.length - 1; at >= 0; at--) {
    nextUse[at] = upcoming[trace[at]];
    upcoming[trace[at]] = at;
  }
  // Next use of each held row, or −1; the row used last from now on is found among the positions of next uses, by a heap.
  const held = new Int32Array(rows).fill(-1);
  const heap = new MaxHeap();
  let [size, hits] = [0, 0];
  for (const [at, row] of trace.entries()) {
    if (held[row] >= 0) hits++;
    else if (nextUse[at] === NEVER) continue;
    else if (size < capacity) size++;
    else {
      // Entries of rows that were used meanwhile, or dropped, are out of date.
      while (held[heap.row] !== heap.use) heap.pop();
      if (heap.use <= nextUse[at]) continue;
      held[heap.row] = -1;
      heap.pop();
    }
    held[row] = nextUse[at];
    heap.push(nextUse[at], row);
  }
  return hits;
}

/** A binary heap of rows by their next use, the latest on top. */
class MaxHeap {
  readonly #uses: number[] = [];
  readonly #rows: number[] = [];

  /** Next use of the row on top. */
  get use(): number {
    return this.#uses[0];
  }

  /** The row on top. */
  get row(): number {
    return this.#rows[0];
  }

  push(use: number, row: number): void {
    let at = this.#uses.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#uses[parent] >= use) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#uses[at] = use;
    this.#rows[at] = row;
  }

  pop(): void {
    const use = this.#uses.pop() as number;
    const row = this.#rows.pop() as number;
    const size = this.#uses.length;
    if (size === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child + 1 < size && this.#uses[child + 1] > this.#uses[child]) child++;
      if (child >= size || this.#uses[child] <= use) break;
      this.#move(child, at);
      at = child;
    }
    this.#uses[at] = use;
    this.#rows[at] = row;
  }

  #move(from: number, to: number): void {
    this.#uses[to] = this.#uses[from];
    this.#rows[to] = this.#rows[from];
  }
}
