import { quantile } from "@tt-rec/testing";
import type { Sample } from "../common/measure.ts";

/** Finds the sample of a key in one round; undefined if it was not measured. */
export type Lookup = (key: string) => Sample | undefined;

/** A number computed from the samples of one round. */
export interface Quantity {
  /** Keys of the samples it needs. */
  readonly needs: readonly string[];
  /** Its value in a round; undefined if a sample is missing. */
  readonly of: (at: Lookup) => number | undefined;
}

/** One field of one sample, such as its processor time. */
export function field(key: string, name: "cpu" | "wall" | "rate" | "bytes"): Quantity {
  return { needs: [key], of: (at) => at(key)?.[name] };
}

/** 10^9 operations per second of processor time, from the operations of a call. */
export function gigaRate(key: string, operations: number): Quantity {
  return {
    needs: [key],
    of(at) {
      const ms = at(key)?.cpu;
      return ms === undefined ? undefined : operations / 1e6 / ms;
    },
  };
}

/** The median of some quantities; undefined unless all are there. */
export function medianOf(quantities: readonly Quantity[]): Quantity {
  return {
    needs: quantities.flatMap(({ needs }) => needs),
    of(at) {
      const values = quantities.map(({ of }) => of(at)).filter((value) => value !== undefined);
      return values.length < quantities.length ? undefined : quantile(values, 0.5);
    },
  };
}

/** A number that is known without measuring. */
export function constant(value: number): Quantity {
  return { needs: [], of: () => value };
}
