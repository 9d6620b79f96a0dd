import type { Rng, Tensor } from "@tt-rec/tensor";

/** Draws every element from a normal distribution around 0. */
export function fillNormal(tensor: Tensor, standardDeviation: number, rng: Rng): void {
  const data = tensor.data;
  for (let i = 0; i < data.length; i++) data[i] = standardDeviation * rng.normal();
}
