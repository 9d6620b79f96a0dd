/** Ranks whose probabilities are summed exactly; the others are integrated, which is off by less than 1e-7 of theirs. */
const HEAD = 4096;

/** The law p(rank) ~ (rank + shift)^-exponent on ranks 1 … size. */
export interface RankLaw {
  /** Number of ranks. */
  readonly size: number;
  /** Probability of a rank of at most `rank`. */
  cumulative(rank: number): number;
  /** The smallest rank whose cumulative probability exceeds `share`, which lies in [0, 1). */
  quantile(share: number): number;
}

/** Makes a Zipf–Mandelbrot law. Costs a table of at most 4096 numbers, whatever its size. */
export function zipfMandelbrot(size: number, exponent: number, shift: number): RankLaw {
  const head = Math.min(size, HEAD);
  const sums = new Float64Array(head + 1);
  for (let rank = 1; rank <= head; rank++) sums[rank] = sums[rank - 1] + (rank + shift) ** -exponent;
  const flat = 1 - exponent;
  const integral = (x: number): number => (flat === 0 ? Math.log(x + shift) : (x + shift) ** flat / flat);
  const inverse = (y: number): number => (flat === 0 ? Math.exp(y) : (y * flat) ** (1 / flat)) - shift;
  const headMass = sums[head];
  const tailStart = integral(head + 0.5);
  const total = headMass + (size > head ? integral(size + 0.5) - tailStart : 0);
  return {
    size,
    cumulative: (rank) => (rank <= head ? sums[rank] : headMass + integral(rank + 0.5) - tailStart) / total,
    quantile(share) {
      const mass = share * total;
      if (mass >= headMass) return Math.min(size, Math.max(head, Math.floor(inverse(tailStart + mass - headMass) + 0.5)));
      let low = 1;
      let high = head;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (sums[middle] > mass) high = middle;
        else low = middle + 1;
      }
      return low;
    },
  };
}
