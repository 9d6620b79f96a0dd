import { createRng } from "@tt-rec/tensor";
import { powerLawRanks } from "@tt-rec/testing";

/** How a trace of lookups is drawn. */
export interface TraceOptions {
  /** Rows of the table. */
  readonly rows: number;
  /** Number of lookups. */
  readonly lookups: number;
  /** Exponent of the power law of accesses. */
  readonly exponent: number;
  /** Share of the `hot` most accessed rows that trade places with others every `period` lookups. */
  readonly drift: number;
  readonly hot: number;
  readonly period: number;
  /** Default 1. */
  readonly seed?: number;
}

/** Row ids by a power law over a random order of the rows, which drifts. */
export function drawTrace({ rows, lookups, exponent, drift, hot, period, seed = 1 }: TraceOptions): Uint32Array {
  const rng = createRng(seed);
  const draw = powerLawRanks(rows, exponent, () => rng.uniform());
  const rowOf = Uint32Array.from({ length: rows }, (_, rank) => rank);
  const swap = (a: number, b: number): void => {
    [rowOf[a], rowOf[b]] = [rowOf[b], rowOf[a]];
  };
  for (let i = rows - 1; i > 0; i--) swap(i, Math.floor(rng.uniform() * (i + 1)));
  const trace = new Uint32Array(lookups);
  for (let at = 0; at < lookups; at++) {
    if (at > 0 && at % period === 0) {
      for (let n = Math.floor(drift * hot); n > 0; n--) {
        swap(Math.floor(rng.uniform() * hot), hot + Math.floor(rng.uniform() * (rows - hot)));
      }
    }
    trace[at] = rowOf[draw()];
  }
  return trace;
}
