import type { NamedTensors, Runtime, Tensor, UpdateRule } from "@tt-rec/tensor";
import {
  type BagPhases,
  type Bags,
  DenseEmbeddingBag,
  type EmbeddingBag,
  type Plan,
  type PlanMode,
  type Pooling,
  type PreparedStep,
  resolveBags,
  type SliceGradients,
} from "@tt-rec/tt-kernels";
import type { RowMap } from "./row-map.ts";

/** Options of `MappedEmbeddingBag`. */
export interface MappedEmbeddingBagOptions {
  /** Number of ids n. */
  readonly numEmbeddings: number;
  /** Columns D of the table. */
  readonly embeddingDim: number;
  /** From an id to the row that stands for it. */
  readonly map: RowMap;
  /** How rows of a bag are joined. */
  readonly pooling: Pooling;
  /** Fills the zeroed rows in place. */
  readonly initialize: (rows: Float32Array) => void;
}

/** An uncompressed table with fewer rows than there are ids: a map sends each id to the row that it shares with others. */
export class MappedEmbeddingBag implements EmbeddingBag {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly phases: BagPhases;
  readonly #runtime: Runtime;
  readonly #pooling: Pooling;
  readonly #map: RowMap;
  readonly #rows: DenseEmbeddingBag;

  /** Allocates the rows. Throws as `DenseEmbeddingBag` does. */
  constructor(runtime: Runtime, { numEmbeddings, embeddingDim, map, pooling, initialize }: MappedEmbeddingBagOptions) {
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.#runtime = runtime;
    this.#pooling = pooling;
    this.#map = map;
    this.#rows = new DenseEmbeddingBag(runtime, { numEmbeddings: map.rows, embeddingDim, initialize, name: "rows" });
    // A plan is that of the rows, so all that takes one is theirs.
    this.phases = this.#rows.phases;
  }

  get bytes(): number {
    return this.#rows.bytes + this.#map.bytes;
  }

  get parameterBytes(): number {
    return this.#rows.parameterBytes + this.#map.bytes;
  }

  plan(bags: Bags, _mode: PlanMode): Plan {
    const lookup = resolveBags(bags, this.#pooling, this.numEmbeddings);
    return this.#rows.planLookup({ ...lookup, rows: lookup.rows.map(this.#map.rowOf) });
  }

  forward(plan: Plan): Promise<Tensor> {
    return this.#rows.forward(plan);
  }

  backward(plan: Plan, gradient: Tensor): Promise<SliceGradients> {
    return this.#rows.backward(plan, gradient);
  }

  prepare(plan: Plan, gradient: Tensor): Promise<PreparedStep> {
    return this.#rows.prepare(plan, gradient);
  }

  apply(gradients: SliceGradients, rule: UpdateRule): Promise<void> {
    return this.#rows.apply(gradients, rule);
  }

  step(plan: Plan, gradient: Tensor, rule: UpdateRule): Promise<void> {
    return this.#rows.step(plan, gradient, rule);
  }

  state(): Promise<NamedTensors> {
    return this.#rows.state();
  }

  load(state: NamedTensors): Promise<void> {
    return this.#rows.load(state);
  }

  async toDense(): Promise<Tensor> {
    const rows = await this.#rows.toDense();
    const dense = this.#runtime.table([this.numEmbeddings, this.embeddingDim]);
    const [source, target, dim] = [rows.data, dense.data, this.embeddingDim];
    for (let id = 0; id < this.numEmbeddings; id++) {
      const row = this.#map.rowOf(id);
      target.set(source.subarray(row * dim, (row + 1) * dim), id * dim);
    }
    rows.dispose();
    return dense;
  }

  dispose(): void {
    this.#rows.dispose();
  }
}
