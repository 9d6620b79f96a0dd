import { AccessCounter, type CachePolicy } from "@tt-rec/tt-cache";

/** The most accessed rows by counts that are known beforehand, for good. */
export function knownCountsPolicy(counts: Uint32Array): CachePolicy {
  return {
    keepsRows: true,
    createCounter: () => new AccessCounter(),
    selectRows: (_, capacity, held) => (held.length > 0 ? held : mostAccessed(counts, capacity)),
  };
}

function mostAccessed(counts: Uint32Array, k: number): Uint32Array {
  const seen = Uint32Array.from(counts.keys()).filter((row) => counts[row] > 0);
  return seen.sort((a, b) => counts[b] - counts[a] || a - b).slice(0, k);
}
