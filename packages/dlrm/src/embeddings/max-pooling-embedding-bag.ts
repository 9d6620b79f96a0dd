import { type NamedTensors, type Runtime, type Tensor, TtError, type UpdateRule } from "@tt-rec/tensor";
import type { Bags, EmbeddingBag, Plan, PlanMode, PreparedStep, SliceGradients } from "@tt-rec/tt-kernels";

/** What a plan of the rows becomes. */
interface MaxPlan {
  /** One row an id. */
  readonly rows: Plan;
  /** Where each bag starts; absent: one id a bag. */
  readonly offsets: Uint32Array | undefined;
}

/**
 * Max pooling on any bag that looks up row by row: each column of the result is the largest of the bag's rows, of an empty
 * bag 0. The gradient of a column goes to the first row that had the largest value.
 */
export class MaxPoolingEmbeddingBag implements EmbeddingBag {
  readonly #runtime: Runtime;
  readonly #rows: EmbeddingBag;
  readonly #plans = new WeakMap<Plan, MaxPlan>();
  /** The winning position of each element of a result, for the backward pass of the same step. */
  readonly #winners = new WeakMap<Plan, { readonly positions: Int32Array; readonly rows: Tensor }>();

  /** Takes a bag with pooling `none`, which belongs to this one from then on. */
  constructor(runtime: Runtime, rows: EmbeddingBag) {
    this.#runtime = runtime;
    this.#rows = rows;
  }

  get numEmbeddings(): number {
    return this.#rows.numEmbeddings;
  }

  get embeddingDim(): number {
    return this.#rows.embeddingDim;
  }

  get bytes(): number {
    return this.#rows.bytes;
  }

  get parameterBytes(): number {
    return this.#rows.parameterBytes;
  }

  plan(bags: Bags, mode: PlanMode): Plan {
    if (bags.weights !== undefined) throw new TtError("E_WEIGHTS", "max pooling takes no per-sample weights");
    const rows = this.#rows.plan(bags, mode);
    const { offsets } = bags;
    const outputs = offsets === undefined ? rows.outputs : offsets.length - 1;
    const plan: Plan = {
      outputs,
      lookups: rows.lookups,
      get uniqueRows() {
        return rows.uniqueRows;
      },
    };
    this.#plans.set(plan, { rows, offsets });
    return plan;
  }

  async forward(plan: Plan): Promise<Tensor> {
    return (await this.#forward(plan)).out;
  }

  async backward(plan: Plan, gradient: Tensor): Promise<SliceGradients> {
    return this.#rows.backward(this.#details(plan).rows, await this.#rowGradients(plan, gradient));
  }

  async prepare(plan: Plan, gradient: Tensor): Promise<PreparedStep> {
    return this.#rows.prepare(this.#details(plan).rows, await this.#rowGradients(plan, gradient));
  }

  async step(plan: Plan, gradient: Tensor, rule: UpdateRule): Promise<void> {
    await this.#rows.step(this.#details(plan).rows, await this.#rowGradients(plan, gradient), rule);
  }

  apply(gradients: SliceGradients, rule: UpdateRule): Promise<void> {
    return this.#rows.apply(gradients, rule);
  }

  state(): Promise<NamedTensors> {
    return this.#rows.state();
  }

  load(state: NamedTensors): Promise<void> {
    return this.#rows.load(state);
  }

  toDense(): Promise<Tensor> {
    return this.#rows.toDense();
  }

  dispose(): void {
    this.#rows.dispose();
  }

  #details(plan: Plan): MaxPlan {
    const details = this.#plans.get(plan);
    if (details === undefined) throw new TtError("E_OPTION", "the plan was made by another embedding bag");
    return details;
  }

  async #forward(plan: Plan): Promise<{ readonly out: Tensor; readonly positions: Int32Array }> {
    const { rows, offsets } = this.#details(plan);
    const values = await this.#rows.forward(rows);
    const dim = this.embeddingDim;
    const out = this.#runtime.scratch([plan.outputs, dim]);
    const [source, target] = [values.data, out.data];
    const positions = new Int32Array(target.length).fill(-1);
    for (let output = 0; output < plan.outputs; output++) {
      const [start, end] = offsets === undefined ? [output, output + 1] : [offsets[output], offsets[output + 1]];
      for (let at = output * dim; at < (output + 1) * dim; at++) {
        for (let p = start; p < end; p++) {
          const value = source[p * dim + at - output * dim];
          // A NaN wins, so that it is seen.
          if (positions[at] >= 0 && !(value > target[at] || Number.isNaN(value))) continue;
          target[at] = value;
          positions[at] = p;
        }
      }
    }
    this.#winners.set(plan, { positions, rows: values });
    return { out, positions };
  }

  /** Gradients [lookups, D] of the rows. */
  async #rowGradients(plan: Plan, gradient: Tensor): Promise<Tensor> {
    const dim = this.embeddingDim;
    if (gradient.size !== plan.outputs * dim) {
      throw new TtError("E_SHAPE", `the gradient has shape [${gradient.shape}], the output [${plan.outputs},${dim}]`);
    }
    const known = this.#winners.get(plan);
    const positions = known === undefined || known.rows.disposed ? (await this.#forward(plan)).positions : known.positions;
    const rowGradients = this.#runtime.scratch([plan.lookups, dim]);
    const [source, target] = [gradient.data, rowGradients.data];
    for (let at = 0; at < source.length; at++) {
      if (positions[at] >= 0) target[positions[at] * dim + (at % dim)] = source[at];
    }
    return rowGradients;
  }
}
