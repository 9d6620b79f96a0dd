/**
 * One level of the tree of row prefixes. The node of a row at level k stands for the digits (i_0 … i_k); rows that
 * share them share the node, so each prefix product is computed once a batch. Nodes are in rising order of prefix.
 */
export interface PrefixLevel {
  /** Number of nodes. */
  readonly count: number;
  /** Digit i_k of each node: the slice of core k that it multiplies by. */
  readonly digits: Uint32Array;
  /** Node of the level above whose product each node extends; of no meaning at level 0. */
  readonly parents: Uint32Array;
  /** Nodes grouped by digit, so that a core slice is read once a batch and its gradient is summed in a fixed order. */
  readonly byDigit: Uint32Array;
  /** Distinct digits in rising order: the slices of core k that the batch touches. */
  readonly touched: Uint32Array;
  /** Where the nodes of each touched digit start in `byDigit` [touched.length + 1]. */
  readonly segments: Uint32Array;
}

/** Builds the levels for distinct rows in rising order; those of the last level are the rows themselves. Linear in rows. */
export function buildPrefixTree(uniqueRows: Uint32Array, rowShape: readonly number[]): PrefixLevel[] {
  const levels: PrefixLevel[] = [];
  let parentOfRow = new Uint32Array(uniqueRows.length);
  let stride = rowShape.reduce((a, b) => a * b, 1);
  for (const extent of rowShape) {
    stride /= extent;
    const nodeOfRow = new Uint32Array(uniqueRows.length);
    const digits = new Uint32Array(uniqueRows.length);
    const parents = new Uint32Array(uniqueRows.length);
    let count = 0;
    let previous = -1;
    for (let u = 0; u < uniqueRows.length; u++) {
      // Division, not shifts: row ids use all 32 bits.
      const prefix = Math.floor(uniqueRows[u] / stride);
      if (prefix !== previous) {
        digits[count] = prefix % extent;
        parents[count++] = parentOfRow[u];
        previous = prefix;
      }
      nodeOfRow[u] = count - 1;
    }
    levels.push({
      count,
      digits: digits.slice(0, count),
      parents: parents.slice(0, count),
      ...groupByDigit(digits, count, extent),
    });
    parentOfRow = nodeOfRow;
  }
  return levels;
}

/** Counting sort of the nodes by digit. */
function groupByDigit(digits: Uint32Array, count: number, extent: number): Pick<PrefixLevel, "byDigit" | "touched" | "segments"> {
  const heads = new Uint32Array(extent + 1);
  for (let node = 0; node < count; node++) heads[digits[node] + 1]++;
  const touched: number[] = [];
  const segments: number[] = [0];
  for (let digit = 0; digit < extent; digit++) {
    if (heads[digit + 1] > 0) {
      touched.push(digit);
      segments.push(heads[digit] + heads[digit + 1]);
    }
    heads[digit + 1] += heads[digit];
  }
  const byDigit = new Uint32Array(count);
  for (let node = 0; node < count; node++) byDigit[heads[digits[node]]++] = node;
  return { byDigit, touched: Uint32Array.from(touched), segments: Uint32Array.from(segments) };
}
