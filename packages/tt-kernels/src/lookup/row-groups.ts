import type { Lookup } from "./lookup.ts";

/** Positions of a batch grouped by row id. */
export interface RowGroups {
  /** Distinct row ids in rising order [U]. */
  readonly uniqueRows: Uint32Array;
  /** Positions sorted by row id, equal ids in batch order: sums over a group have a fixed order. */
  readonly order: Uint32Array;
  /** Where each group starts in `order` [U + 1]. */
  readonly starts: Uint32Array;
  /** Index into `uniqueRows` of each position. */
  readonly groupOf: Uint32Array;
}

/** Number of distinct rows of a lookup. */
export function countDistinct({ rows, positions }: Lookup): number {
  return groupRows(positions === undefined ? rows : positions.map((p) => rows[p])).uniqueRows.length;
}

const RADIX_BITS = 11;
const RADIX = 1 << RADIX_BITS;

/** Groups positions by row id in time linear in the batch. */
export function groupRows(rows: Uint32Array): RowGroups {
  const order = radixSortPositions(rows);
  const groupOf = new Uint32Array(rows.length);
  const unique = new Uint32Array(rows.length);
  const starts = new Uint32Array(rows.length + 1);
  let count = 0;
  for (let i = 0; i < order.length; i++) {
    const row = rows[order[i]];
    if (i === 0 || row !== unique[count - 1]) {
      unique[count] = row;
      starts[count++] = i;
    }
    groupOf[order[i]] = count - 1;
  }
  starts[count] = rows.length;
  return { uniqueRows: unique.slice(0, count), order, starts: starts.slice(0, count + 1), groupOf };
}

/** Least-significant-digit radix sort of the positions by their row ids; stable, and only as many passes as the largest id needs. */
function radixSortPositions(rows: Uint32Array): Uint32Array {
  let largest = 0;
  let from = new Uint32Array(rows.length);
  for (let p = 0; p < rows.length; p++) {
    if (rows[p] > largest) largest = rows[p];
    from[p] = p;
  }
  let to = new Uint32Array(rows.length);
  const heads = new Uint32Array(RADIX);
  for (let shift = 0; shift < 32 && largest >>> shift > 0; shift += RADIX_BITS) {
    heads.fill(0);
    for (let p = 0; p < rows.length; p++) heads[(rows[p] >>> shift) & (RADIX - 1)]++;
    let sum = 0;
    for (let digit = 0; digit < RADIX; digit++) {
      const count = heads[digit];
      heads[digit] = sum;
      sum += count;
    }
    for (let i = 0; i < from.length; i++) to[heads[(rows[from[i]] >>> shift) & (RADIX - 1)]++] = from[i];
    [from, to] = [to, from];
  }
  return from;
}
