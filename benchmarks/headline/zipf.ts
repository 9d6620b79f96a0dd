import type { Rng } from "@tt-rec/tensor";

/** Exponent of the power law of clicks. */
const EXPONENT = 1.05;

/** Draws ids, as many as asked. */
export type Draw = (count: number) => Uint32Array;

/** Ids that are all equally likely. */
export function uniformIds(rows: number, rng: Rng): Draw {
  return (count) => Uint32Array.from({ length: count }, () => Math.floor(rng.uniform() * rows));
}

/** Ids by a bounded power law, in the order of their frequency: 0 is the most frequent. */
export function zipfIds(rows: number, rng: Rng): Draw {
  const mass = new Float64Array(rows);
  let sum = 0;
  for (let rank = 0; rank < rows; rank++) {
    sum += (rank + 1) ** -EXPONENT;
    mass[rank] = sum;
  }
  const draw = (): number => {
    const share = rng.uniform() * sum;
    let [low, high] = [0, rows - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (mass[middle] < share) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return (count) => Uint32Array.from({ length: count }, draw);
}
