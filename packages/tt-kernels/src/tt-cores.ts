import { Parameter, type Runtime } from "@tt-rec/tensor";
import { checkCores, coreShape, type TTShape } from "@tt-rec/tt-math";
import { type ChainExtents, chainExtents } from "./reference/chain.ts";

/** The trainable cores of a table, and the extents of the products along them. */
export class TTCores {
  /** Row shape, column shape and ranks. */
  readonly shape: TTShape;
  /** The cores: core k [p_k, r_k, q_k, r_(k+1)]. */
  readonly parameters: readonly Parameter[];
  /** Extents of the products along the train. */
  readonly extents: ChainExtents;
  /** Counts changes of the cores, so that products of older cores are not taken for today's. */
  version = 0;

  /** Allocates the cores and copies the initial ones. Throws `E_SHAPE` if their number or sizes do not fit the shape. */
  constructor(runtime: Runtime, shape: TTShape, initial: readonly Float32Array[], prefix = "") {
    checkCores({ shape, cores: initial });
    this.shape = shape;
    this.extents = chainExtents(shape.columnShape, shape.ranks);
    this.parameters = initial.map((core, k) => {
      const parameter = new Parameter(runtime, `${prefix}core.${k}`, coreShape(shape, k));
      parameter.weights.data.set(core);
      return parameter;
    });
  }

  /** Bytes of the cores alone. */
  get weightBytes(): number {
    return this.parameters.reduce((sum, core) => sum + core.weightBytes, 0);
  }

  /** Frees the cores. */
  dispose(): void {
    for (const core of this.parameters) core.dispose();
  }
}
