import type { TTShape } from "./tt-shape.ts";

/** A table in TT format: its shape and its cores. */
export interface TTCores {
  /** Shape of the table and of its cores. */
  readonly shape: TTShape;
  /** Core k is row-major `[p_k, r_k, q_k, r_(k+1)]`. */
  readonly cores: readonly Float32Array[];
}
