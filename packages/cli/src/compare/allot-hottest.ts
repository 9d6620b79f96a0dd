/**
 * Shares `total` places among tables so that the most accessed rows of all tables have one: how many each table gets, at least
 * one and at most its rows. Of equally accessed rows those of the first tables come first.
 */
export function allotHottest(counts: readonly ArrayLike<number>[], total: number): number[] {
  const falling = counts.map((table) => Float64Array.from(table).sort().reverse());
  const places = falling.map(() => 1);
  let left = total - places.length;
  // The lowest count that still gets a place, by bisection over the values that occur.
  const values = Float64Array.from(falling.flatMap((table) => [...new Set(table.subarray(1))])).sort();
  const above = (limit: number): number[] => falling.map((table) => Math.max(1, countAtLeast(table, limit)));
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sum(above(values[middle])) <= total) high = middle;
    else low = middle + 1;
  }
  if (low < values.length) for (const [t, count] of above(values[low]).entries()) places[t] = count;
  left = total - sum(places);
  // Rows with the next lower count do not all have a place.
  for (const [t, table] of falling.entries()) {
    const more = Math.max(0, Math.min(left, low === 0 ? 0 : countAtLeast(table, values[low - 1]) - places[t]));
    places[t] += more;
    left -= more;
  }
  return places;
}

function countAtLeast(falling: Float64Array, limit: number): number {
  let [low, high] = [0, falling.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (falling[middle] >= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
