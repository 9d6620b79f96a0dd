/** Values told apart by a histogram of 16 bits. */
const BINS = 2 ** 16;
const LAST_BIN = BINS - 1;

/**
 * The `k` most counted of distinct ids, the most counted first, equal ones by the smaller id, so that the answer is unique. Ids without
 * a count are left out. Linear in the ids, but for the sort of those that are chosen.
 */
export function mostCounted(ids: Uint32Array, counts: Uint32Array, k: number): Uint32Array {
  if (k <= 0) return new Uint32Array(0);
  const threshold = kthLargest(counts, k);
  let [above, ties] = [0, 0];
  for (let i = 0; i < counts.length; i++) {
    above += Number(counts[i] > threshold);
    ties += Number(counts[i] === threshold);
  }
  if (threshold === 0) ties = 0;
  const best = new Uint32Array(above);
  const tied = new Uint32Array(ties);
  let [b, t] = [0, 0];
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] > threshold) best[b++] = i;
    else if (t < ties && counts[i] === threshold) tied[t++] = ids[i];
  }
  const top = new Uint32Array(Math.min(k, above + ties));
  top.set(rank(best, ids, counts));
  top.set(smallest(tied, top.length - above).sort(), above);
  return top;
}

/** The k-th largest of some numbers, or 0 if there are fewer. */
function kthLargest(values: Uint32Array, k: number): number {
  if (k > values.length) return 0;
  // Counts are small as a rule, and those that are not are few.
  const bins = new Uint32Array(BINS);
  for (let i = 0; i < values.length; i++) bins[Math.min(values[i], LAST_BIN)]++;
  let bin = LAST_BIN;
  let left = k;
  while (bins[bin] < left) left -= bins[bin--];
  if (bin < LAST_BIN) return bin;
  const large = values.filter((value) => value >= LAST_BIN).sort();
  return large[large.length - left];
}

/** The `k` smallest of distinct ids, in their order. */
function smallest(ids: Uint32Array, k: number): Uint32Array {
  if (k >= ids.length) return ids;
  const bins = new Uint32Array(BINS);
  for (let i = 0; i < ids.length; i++) bins[ids[i] >>> 16]++;
  const high = binOf(bins, k);
  bins.fill(0);
  for (let i = 0; i < ids.length; i++) if (ids[i] >>> 16 === high.bin) bins[ids[i] & LAST_BIN]++;
  // Multiplied, since shifted to the left it might be negative.
  const cut = high.bin * BINS + binOf(bins, k - high.below).bin;
  const chosen = new Uint32Array(k);
  for (let i = 0, next = 0; next < k; i++) if (ids[i] < cut) chosen[next++] = ids[i];
  return chosen;
}

/** The bin with the k-th number, counted from 0, and how many lie in the bins before. */
function binOf(bins: Uint32Array, k: number): { readonly bin: number; readonly below: number } {
  let [bin, below] = [0, 0];
  while (below + bins[bin] <= k) below += bins[bin++];
  return { bin, below };
}

/** The ids at some places, by count and then by id: as numbers of 53 bits where they fit, which sort many times faster. */
function rank(places: Uint32Array, ids: Uint32Array, counts: Uint32Array): Uint32Array {
  const largest = places.reduce((most, i) => Math.max(most, counts[i]), 0);
  const least = places.reduce((fewest, i) => Math.min(fewest, counts[i]), largest);
  if (largest - least >= 2 ** 21) return places.sort((a, b) => counts[b] - counts[a] || ids[a] - ids[b]).map((i) => ids[i]);
  const keys = Float64Array.from(places, (i) => (largest - counts[i]) * 2 ** 32 + ids[i]).sort();
  return Uint32Array.from(keys, (key) => key % 2 ** 32);
}
