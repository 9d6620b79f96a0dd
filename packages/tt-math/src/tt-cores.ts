import { TtError } from "@tt-rec/tensor";
import { coreShape, type TTShape } from "./shape/tt-shape.ts";

/** A table in TT format: its shape and its cores. */
export interface TTCores {
  /** Shape of the table and of its cores. */
  readonly shape: TTShape;
  /** Core k is row-major `[p_k, r_k, q_k, r_(k+1)]`. */
  readonly cores: readonly Float32Array[];
}

/** Throws E_SHAPE unless there is a core for each factor of the shape, with as many elements as the shape asks for. */
export function checkCores({ shape, cores }: TTCores): void {
  const d = shape.rowShape.length;
  if (cores.length !== d) throw new TtError("E_SHAPE", `${cores.length} cores for a shape of ${d}`);
  for (const [k, core] of cores.entries()) {
    const expected = coreShape(shape, k);
    const size = expected.reduce((a, b) => a * b, 1);
    if (core.length !== size)
      throw new TtError("E_SHAPE", `cores[${k}] has ${core.length} elements, [${expected}] needs ${size}`);
  }
}
