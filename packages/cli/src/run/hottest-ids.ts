/** The `count` most accessed ids of a table, rising; of equally accessed ones the smaller. */
export function hottestIds(counts: ArrayLike<number>, count: number): number[] {
  const ids = Uint32Array.from({ length: counts.length }, (_, id) => id).sort((a, b) => counts[b] - counts[a] || a - b);
  return [...ids.subarray(0, count).sort()];
}
