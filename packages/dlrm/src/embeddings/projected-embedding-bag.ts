import {
  checkState,
  type NamedTensors,
  Parameter,
  type Runtime,
  type Tensor,
  TtError,
  type UpdateRule,
  validateUpdateRule,
} from "@tt-rec/tensor";
import {
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
import { denseRule } from "../optimizer.ts";
import { splitParts } from "./gradient-parts.ts";

/** Options of `ProjectedEmbeddingBag`. */
export interface ProjectedEmbeddingBagOptions {
  /** Rows n of the table. */
  readonly numEmbeddings: number;
  /** Columns D of the result. */
  readonly embeddingDim: number;
  /** Columns d of the table. */
  readonly dimension: number;
  /** How rows of a bag are joined. */
  readonly pooling: Pooling;
  /** Fills the zeroed table [n, d] in place. */
  readonly initialize: (table: Float32Array) => void;
  /** Fills the zeroed projection [D, d] in place. */
  readonly initializeProjection: (projection: Float32Array) => void;
}

const PROJECTION = "projection";

/**
 * A narrow table [n, d] whose pooled rows are multiplied by a projection [D, d]: x·Pᵀ. So are mixed dimensions and low rank.
 * The table follows the rule in the rows of the batch, the projection as a whole.
 */
export class ProjectedEmbeddingBag implements EmbeddingBag {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly #runtime: Runtime;
  readonly #pooling: Pooling;
  readonly #table: DenseEmbeddingBag;
  readonly #projection: Parameter;
  /** What the table gave for a plan, for the backward pass of the same step. */
  readonly #pooled = new WeakMap<Plan, { readonly rows: Tensor; readonly version: number }>();
  /** Counts changes of the table, so that older rows are not taken for today's. */
  #version = 0;

  /** Allocates table and projection. Throws as `DenseEmbeddingBag` does. */
  constructor(runtime: Runtime, options: ProjectedEmbeddingBagOptions) {
    const { numEmbeddings, embeddingDim, dimension, pooling, initialize, initializeProjection } = options;
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.#runtime = runtime;
    this.#pooling = pooling;
    this.#table = new DenseEmbeddingBag(runtime, { numEmbeddings, embeddingDim: dimension, pooling, initialize });
    this.#projection = new Parameter(runtime, PROJECTION, [embeddingDim, dimension]);
    initializeProjection(this.#projection.weights.data);
  }

  get bytes(): number {
    return this.#table.bytes + this.#projection.bytes;
  }

  get parameterBytes(): number {
    return this.#table.parameterBytes + this.#projection.weightBytes;
  }

  plan(bags: Bags, _mode: PlanMode): Plan {
    return this.#table.planLookup(resolveBags(bags, this.#pooling, this.numEmbeddings));
  }

  async forward(plan: Plan): Promise<Tensor> {
    const rows = await this.#rowsOf(plan);
    const out = this.#runtime.rawScratch([plan.outputs, this.embeddingDim]);
    await this.#runtime.kernels.gemm("nt", rows, this.#projection.weights, out);
    return out;
  }

  async backward(plan: Plan, gradient: Tensor): Promise<SliceGradients> {
    const { rows, projection, sumOfSquares } = await this.#gradients(plan, gradient);
    const table = await this.#table.backward(plan, rows);
    const slices = Uint32Array.from({ length: this.embeddingDim }, (_, d) => d);
    return {
      ...table,
      parts: [...table.parts, { parameter: PROJECTION, slices, values: projection }],
      sumOfSquares: table.sumOfSquares + sumOfSquares,
    };
  }

  async apply(gradients: SliceGradients, rule: UpdateRule): Promise<void> {
    validateUpdateRule(rule);
    const [projection, table] = splitParts(gradients, (name) => name === PROJECTION);
    this.#table.checkGradients(table);
    for (const { values } of projection.parts) {
      if (values.size !== this.#projection.weights.size) {
        throw new TtError(
          "E_SHAPE",
          `the gradient of the projection has ${values.size} elements, not ${this.#projection.weights.size}`,
        );
      }
    }
    await this.#update(
      () => this.#table.apply(table, rule),
      projection.parts.map(({ values }) => values),
      rule,
    );
  }

  async prepare(plan: Plan, gradient: Tensor): Promise<PreparedStep> {
    const { rows, projection, sumOfSquares } = await this.#gradients(plan, gradient);
    const table = await this.#table.prepare(plan, rows);
    return {
      finite: table.finite && Number.isFinite(sumOfSquares),
      apply: async (rule) => {
        validateUpdateRule(rule);
        await this.#update(() => table.apply(rule), [projection], rule);
      },
    };
  }

  async step(plan: Plan, gradient: Tensor, rule: UpdateRule): Promise<void> {
    validateUpdateRule(rule);
    await (await this.prepare(plan, gradient)).apply(rule);
  }

  async state(): Promise<NamedTensors> {
    return new Map([...(await this.#table.state()), ...this.#projection.entries()]);
  }

  async load(state: NamedTensors): Promise<void> {
    const own = new Set(this.#projection.stateNames);
    const table = new Map([...state].filter(([name]) => !own.has(name)));
    checkState([this.#projection], new Map([...state].filter(([name]) => own.has(name))));
    this.#table.checkState(table);
    this.#version++;
    await this.#table.load(table);
    this.#projection.load(state);
  }

  async toDense(): Promise<Tensor> {
    const table = await this.#table.toDense();
    const dense = this.#runtime.table([this.numEmbeddings, this.embeddingDim]);
    const [rows, projection, out] = [table.data, this.#projection.weights.data, dense.data];
    const [columns, dim] = [this.#table.embeddingDim, this.embeddingDim];
    for (let i = 0; i < this.numEmbeddings; i++) {
      for (let j = 0; j < dim; j++) {
        let sum = 0;
        for (let k = 0; k < columns; k++) sum += rows[i * columns + k] * projection[j * columns + k];
        out[i * dim + j] = sum;
      }
    }
    table.dispose();
    return dense;
  }

  dispose(): void {
    this.#table.dispose();
    this.#projection.dispose();
  }

  /** The pooled rows of a plan [outputs, d], from the forward pass of this step if the table has not changed since. */
  async #rowsOf(plan: Plan): Promise<Tensor> {
    const known = this.#pooled.get(plan);
    if (known?.version === this.#version && !known.rows.disposed) return known.rows;
    const rows = await this.#table.forward(plan);
    this.#pooled.set(plan, { rows, version: this.#version });
    return rows;
  }

  /** Gradients of the pooled rows and of the projection. */
  async #gradients(
    plan: Plan,
    gradient: Tensor,
  ): Promise<{ readonly rows: Tensor; readonly projection: Tensor; readonly sumOfSquares: number }> {
    const { kernels } = this.#runtime;
    const pooled = await this.#rowsOf(plan);
    if (gradient.size !== plan.outputs * this.embeddingDim) {
      throw new TtError(
        "E_SHAPE",
        `the gradient has shape [${gradient.shape}], the output [${plan.outputs},${this.embeddingDim}]`,
      );
    }
    const outputs = gradient.reshape([plan.outputs, this.embeddingDim]);
    const projection = this.#runtime.rawScratch(this.#projection.shape);
    await kernels.gemm("tn", outputs, pooled, projection);
    const rows = this.#runtime.rawScratch(pooled.shape);
    await kernels.gemm("nn", outputs, this.#projection.weights, rows);
    const [sumOfSquares] = await kernels.sumsOfSquares([projection]);
    return { rows, projection, sumOfSquares };
  }

  async #update(applyToTable: () => Promise<void>, gradients: readonly Tensor[], rule: UpdateRule): Promise<void> {
    this.#version++;
    await applyToTable();
    const whole = denseRule(rule);
    const state = this.#projection.stateFor(whole);
    const { weights } = this.#projection;
    await this.#runtime.kernels.update(
      whole,
      gradients.map((gradient) => ({ weights, gradient, ...(state && { state }) })),
    );
  }
}
