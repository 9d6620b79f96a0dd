/**
 * The reference's algorithm by its definition, over the partitions of the prime factors: rival here, oracle in the tests.
 *
 * It merges equal partitions on the way. The reference lists them all first, which takes far longer where there are many
 * prime factors.
 */
export function partitionShape(size: number, d: number, roundUp = true): number[] {
  let best: number[] = [];
  let bestEntropy = -1;
  for (let power = 0; power < (roundUp ? String(size).length : 1); power++) {
    for (const ascending of partitions(primeFactors(Math.ceil(size / 10 ** power) * 10 ** power), d)) {
      const low = ascending.slice(0, Math.floor(d / 2));
      const high = ascending.slice(Math.floor(d / 2));
      const shape = high.flatMap((part, k) => (k < low.length ? [low[k], part] : [part]));
      const total = shape.reduce((a, b) => a + b);
      const entropy = shape.reduce((sum, part) => sum - (part / total) * Math.log(part / total), 0);
      if (entropy > bestEntropy) {
        best = shape;
        bestEntropy = entropy;
      }
    }
  }
  return best;
}

function primeFactors(n: number): number[] {
  const primes: number[] = [];
  for (let rest = n, prime = 2; rest > 1; prime++) for (; rest % prime === 0; rest /= prime) primes.push(prime);
  return primes;
}

/** Products of all partitions of the primes into d parts, ascending, each once. */
function partitions(primes: readonly number[], d: number): number[][] {
  let level = new Map<string, number[]>([["", new Array<number>(d).fill(1)]]);
  for (const prime of primes) {
    const next = new Map<string, number[]>();
    for (const parts of level.values()) {
      for (let k = 0; k < d; k++) {
        const grown = parts.with(k, parts[k] * prime).sort((a, b) => a - b);
        next.set(grown.join(), grown);
      }
    }
    level = next;
  }
  const filled = Math.min(d, primes.length);
  return [...level.values()].filter((parts) => parts.filter((part) => part > 1).length >= filled);
}
