/** Draws ranks by a bounded power law: rank r of `count` with weight (r + 1)^−exponent; `uniform` gives numbers in [0, 1). */
export function powerLawRanks(count: number, exponent: number, uniform: () => number): () => number {
  const mass = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += (rank + 1) ** -exponent;
    mass[rank] = sum;
  }
  return () => {
    const share = uniform() * sum;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (mass[middle] < share) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
