import { createRng, type Rng } from "@tt-rec/tensor";
import { powerLawRanks } from "@tt-rec/testing";

/** Exponent of the power law of clicks. */
const EXPONENT = 1.05;

/** How ids are drawn; `scattered` are the ids of `zipf` spread over the table. */
export type Ids = "uniform" | "zipf" | "scattered";

/** Draws ids, as many as asked. */
export type Draw = (count: number) => Uint32Array;

/** Ids that are all equally likely. */
export function uniformIds(rows: number, rng: Rng): Draw {
  return (count) => Uint32Array.from({ length: count }, () => Math.floor(rng.uniform() * rows));
}

/** Ids by a bounded power law, in the order of their frequency: 0 is the most frequent. */
export function zipfIds(rows: number, rng: Rng): Draw {
  const draw = powerLawRanks(rows, EXPONENT, () => rng.uniform());
  return (count) => Uint32Array.from({ length: count }, draw);
}

/**
 * Ids by the same power law, drawn without a list of all of them: the continuous law, rounded down. Its head is a little flatter.
 */
export function powerIds(rows: number, rng: Rng): Draw {
  const power = 1 - EXPONENT;
  const range = (rows + 1) ** power - 1;
  const draw = (): number => Math.min(rows, Math.floor((1 + rng.uniform() * range) ** (1 / power))) - 1;
  return (count) => Uint32Array.from({ length: count }, draw);
}

/** Ids of a kind for a table of so many rows, the same at each call. */
export function idsOf(ids: Ids, rows: number): Draw {
  const made = ids === "uniform" ? uniformIds(rows, createRng(7)) : zipfIds(rows, createRng(7, 1));
  return ids === "scattered" ? scatter(made, rows) : made;
}

/** Spreads the frequent ids over the table by a fixed affine map. */
function scatter(draw: Draw, rows: number): Draw {
  const step = 2_654_435_761 % rows;
  return (count) => draw(count).map((rank) => (rank * step + 12_345) % rows);
}
