import { entropy } from "./entropy.ts";

/**
 * The factorization of `n` into `d` factors, ascending, of largest entropy.
 *
 * A number of at least `d` prime factors is split without ones; with fewer, its primes are padded with ones. (Both as
 * the reference does; a one can have the larger entropy, so the first rule matters.)
 *
 * Branch and bound over ascending factors. Once the smallest k factors are fixed, entropy only falls as the rest, whose
 * product is given, becomes less equal: the rest holds more than its entropy-optimal share already, and inequality
 * raises that share and lowers its own entropy. So an equal real-valued rest bounds a branch, and of the last two
 * factors only the closest pair matters.
 */
export function balancedFactors(n: number, d: number): number[] {
  const primes = primeFactors(n);
  if (primes.length < d) return [...new Array<number>(d - primes.length).fill(1), ...primes];
  const divisors = divisorsOf(primes);
  const chosen = new Array<number>(d);
  let best: number[] = [];
  let bestEntropy = Number.NEGATIVE_INFINITY;

  const descend = (k: number, rest: number): void => {
    const left = d - k;
    const smallest = k === 0 ? 2 : chosen[k - 1];
    for (let i = lastAtMost(divisors, rootOf(rest, left)); i >= 0 && divisors[i] >= smallest; i--) {
      if (rest % divisors[i] !== 0) continue;
      chosen[k] = divisors[i];
      chosen.fill(left === 2 ? rest / divisors[i] : (rest / divisors[i]) ** (1 / (left - 1)), k + 1);
      const bound = entropy(chosen);
      if (left === 2) {
        if (bound > bestEntropy) {
          best = chosen.slice();
          bestEntropy = bound;
        }
        return;
      }
      // The bound carries rounding of the root; the true optimum must not be cut off by it.
      if (bound > bestEntropy - 1e-12) descend(k + 1, rest / divisors[i]);
    }
  };
  descend(0, n);
  return best;
}

/** Prime factors with repetition, ascending; none for 1. */
function primeFactors(n: number): number[] {
  const primes: number[] = [];
  let rest = n;
  for (let prime = 2; prime * prime <= rest; prime += prime === 2 ? 1 : 2) {
    while (rest % prime === 0) {
      primes.push(prime);
      rest /= prime;
    }
  }
  if (rest > 1) primes.push(rest);
  return primes;
}

function divisorsOf(primes: readonly number[]): number[] {
  let divisors = new Set([1]);
  for (const prime of primes) divisors = new Set([...divisors].flatMap((divisor) => [divisor, divisor * prime]));
  return [...divisors].sort((a, b) => a - b);
}

/** The k-th root, a little above rather than below, so that perfect powers are found. */
function rootOf(n: number, k: number): number {
  return n ** (1 / k) * (1 + 1e-12);
}

/** Position of the last entry of an ascending list that is at most `limit`, or −1. */
function lastAtMost(ascending: readonly number[], limit: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
