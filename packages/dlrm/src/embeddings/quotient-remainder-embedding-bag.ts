import { type NamedTensors, type Runtime, type Tensor, TtError, type UpdateRule, validateUpdateRule } from "@tt-rec/tensor";
import {
  applyTogether,
  type Bags,
  DenseEmbeddingBag,
  type EmbeddingBag,
  forwardTogether,
  type Lookup,
  type Plan,
  type PlanMode,
  type Pooling,
  type PreparedStep,
  prepareTogether,
  resolveBags,
  type SliceGradients,
} from "@tt-rec/tt-kernels";
import { addTo } from "../layers/add-to.ts";
import { splitParts } from "./gradient-parts.ts";
import { poolRows, unpoolRows, weightGradients } from "./row-pooling.ts";

/** Options of `QuotientRemainderEmbeddingBag`. */
export interface QuotientRemainderEmbeddingBagOptions {
  /** Number of ids n. */
  readonly numEmbeddings: number;
  /** Columns D of the result. */
  readonly embeddingDim: number;
  /** Ids that share a quotient. */
  readonly collisions: number;
  /** What becomes of the two rows. */
  readonly operation: "mult" | "add" | "concat";
  /** How rows of a bag are joined. */
  readonly pooling: Pooling;
  /** Fills a zeroed table in place; first that of the quotients. */
  readonly initialize: (table: Float32Array) => void;
}

/** The two plans of a batch. */
interface PlanPair {
  /** The batch as it is pooled. */
  readonly lookup: Lookup;
  readonly quotient: Plan;
  readonly remainder: Plan;
}

const QUOTIENT = "quotient";
const REMAINDER = "remainder";

/**
 * Quotient–remainder embeddings: row i is made of row ⌊i / c⌋ of one table and row i mod c of another. Rows of a bag are made
 * first and pooled then, so that a bag of several ids is the sum of its rows; DLRM's code pools both tables before it
 * multiplies, which for one id a bag is the same.
 */
export class QuotientRemainderEmbeddingBag implements EmbeddingBag {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly #runtime: Runtime;
  readonly #options: QuotientRemainderEmbeddingBagOptions;
  readonly #quotient: DenseEmbeddingBag;
  readonly #remainder: DenseEmbeddingBag;
  readonly #plans = new WeakMap<Plan, PlanPair>();
  /** What the tables gave for a plan, for the backward pass of the same step. */
  readonly #known = new WeakMap<Plan, { readonly rows: readonly Tensor[]; readonly version: number }>();
  /** Counts changes of the tables, so that older rows are not taken for today's. */
  #version = 0;

  /** Allocates both tables. Throws as `DenseEmbeddingBag` does. */
  constructor(runtime: Runtime, options: QuotientRemainderEmbeddingBagOptions) {
    const { numEmbeddings, embeddingDim, collisions, operation, initialize } = options;
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.#runtime = runtime;
    this.#options = options;
    const half = Math.floor(embeddingDim / 2);
    const [left, right] = operation === "concat" ? [embeddingDim - half, half] : [embeddingDim, embeddingDim];
    const table = (name: string, rows: number, columns: number): DenseEmbeddingBag =>
      new DenseEmbeddingBag(runtime, { name, numEmbeddings: rows, embeddingDim: columns, initialize });
    this.#quotient = table(QUOTIENT, Math.ceil(numEmbeddings / collisions), left);
    this.#remainder = table(REMAINDER, collisions, right);
  }

  get bytes(): number {
    return this.#quotient.bytes + this.#remainder.bytes;
  }

  get parameterBytes(): number {
    return this.#quotient.parameterBytes + this.#remainder.parameterBytes;
  }

  plan(bags: Bags, _mode: PlanMode): Plan {
    const { collisions, pooling } = this.#options;
    const lookup = resolveBags(bags, pooling, this.numEmbeddings);
    const { rows, outputs } = lookup;
    // Products must be made row by row; sums and halves may be pooled before.
    const terms = this.#isProduct ? { outputs: rows.length } : lookup;
    const plan: Plan = {
      outputs,
      lookups: rows.length,
      get uniqueRows() {
        return new Set(rows).size;
      },
    };
    this.#plans.set(plan, {
      lookup,
      quotient: this.#quotient.planLookup({ ...terms, rows: rows.map((id) => Math.floor(id / collisions)) }),
      remainder: this.#remainder.planLookup({ ...terms, rows: rows.map((id) => id % collisions) }),
    });
    return plan;
  }

  async forward(plan: Plan): Promise<Tensor> {
    const { kernels } = this.#runtime;
    const [quotient, remainder] = await this.#rowsOf(plan);
    const out = this.#runtime.scratch([plan.outputs, this.embeddingDim]);
    if (this.#options.operation === "concat") {
      await kernels.joinColumns([quotient, remainder], out);
    } else if (this.#options.operation === "add") {
      await addTo(kernels, out, quotient);
      await addTo(kernels, out, remainder);
    } else {
      const products = await this.#products(quotient, remainder);
      poolRows(this.#pair(plan).lookup, products.data, this.embeddingDim, out.data);
    }
    return out;
  }

  async backward(plan: Plan, gradient: Tensor): Promise<SliceGradients> {
    const { quotient, remainder } = this.#pair(plan);
    const [left, right] = await this.#partGradients(plan, gradient);
    const [q, r] = [await this.#quotient.backward(quotient, left), await this.#remainder.backward(remainder, right)];
    const weights = await this.#weightGradients(plan, gradient, q.weights, r.weights);
    const sumOfSquares = q.sumOfSquares + r.sumOfSquares;
    return { parts: [...q.parts, ...r.parts], sumOfSquares, ...(weights && { weights }) };
  }

  async apply(gradients: SliceGradients, rule: UpdateRule): Promise<void> {
    validateUpdateRule(rule);
    const [quotient, remainder] = splitParts(gradients, (name) => name === QUOTIENT);
    this.#quotient.checkGradients(quotient);
    this.#remainder.checkGradients(remainder);
    this.#version++;
    await this.#quotient.apply(quotient, rule);
    await this.#remainder.apply(remainder, rule);
  }

  async prepare(plan: Plan, gradient: Tensor): Promise<PreparedStep> {
    const { quotient, remainder } = this.#pair(plan);
    const gradients = await this.#partGradients(plan, gradient);
    const steps = await prepareTogether(this.#runtime, this.#tables, [quotient, remainder], gradients);
    return {
      finite: steps.every(({ finite }) => finite),
      apply: async (rule) => {
        validateUpdateRule(rule);
        this.#version++;
        await applyTogether(this.#runtime, steps, [rule, rule]);
      },
    };
  }

  async step(plan: Plan, gradient: Tensor, rule: UpdateRule): Promise<void> {
    validateUpdateRule(rule);
    await (await this.prepare(plan, gradient)).apply(rule);
  }

  async state(): Promise<NamedTensors> {
    return new Map([...(await this.#quotient.state()), ...(await this.#remainder.state())]);
  }

  async load(state: NamedTensors): Promise<void> {
    const quotient = new Map([...state].filter(([name]) => name.endsWith(QUOTIENT)));
    const remainder = new Map([...state].filter(([name]) => !quotient.has(name)));
    this.#quotient.checkState(quotient);
    this.#remainder.checkState(remainder);
    this.#version++;
    await this.#quotient.load(quotient);
    await this.#remainder.load(remainder);
  }

  async toDense(): Promise<Tensor> {
    const [quotient, remainder] = [await this.#quotient.toDense(), await this.#remainder.toDense()];
    const dense = this.#runtime.table([this.numEmbeddings, this.embeddingDim]);
    const { collisions, operation } = this.#options;
    const [q, r, out, dim] = [quotient.data, remainder.data, dense.data, this.embeddingDim];
    const [left, right] = [this.#quotient.embeddingDim, this.#remainder.embeddingDim];
    for (let i = 0; i < this.numEmbeddings; i++) {
      const [a, b] = [Math.floor(i / collisions) * left, (i % collisions) * right];
      for (let j = 0; j < dim; j++) {
        if (operation === "concat") out[i * dim + j] = j < left ? q[a + j] : r[b + j - left];
        else out[i * dim + j] = operation === "add" ? q[a + j] + r[b + j] : q[a + j] * r[b + j];
      }
    }
    quotient.dispose();
    remainder.dispose();
    return dense;
  }

  dispose(): void {
    this.#quotient.dispose();
    this.#remainder.dispose();
  }

  get #isProduct(): boolean {
    return this.#options.operation === "mult";
  }

  get #tables(): EmbeddingBag[] {
    return [this.#quotient, this.#remainder];
  }

  #pair(plan: Plan): PlanPair {
    const pair = this.#plans.get(plan);
    if (pair === undefined) throw new TtError("E_OPTION", "the plan was made by another embedding bag");
    return pair;
  }

  /** What both tables give for a plan, from the forward pass of this step if they have not changed since. */
  async #rowsOf(plan: Plan): Promise<readonly Tensor[]> {
    const { quotient, remainder } = this.#pair(plan);
    const known = this.#known.get(plan);
    if (known?.version === this.#version && !known.rows[0].disposed) return known.rows;
    const rows = await forwardTogether(this.#runtime, this.#tables, [quotient, remainder]);
    this.#known.set(plan, { rows, version: this.#version });
    return rows;
  }

  async #products(quotient: Tensor, remainder: Tensor): Promise<Tensor> {
    const products = this.#runtime.rawScratch(quotient.shape);
    await this.#runtime.kernels.multiplyAdd(quotient, remainder, products);
    return products;
  }

  /** The gradients of what both tables gave. */
  async #partGradients(plan: Plan, gradient: Tensor): Promise<readonly [Tensor, Tensor]> {
    const { lookup } = this.#pair(plan);
    const dim = this.embeddingDim;
    if (gradient.size !== plan.outputs * dim) {
      throw new TtError("E_SHAPE", `the gradient has shape [${gradient.shape}], the output [${plan.outputs},${dim}]`);
    }
    if (this.#options.operation === "add") return [gradient, gradient];
    const { kernels } = this.#runtime;
    const [quotient, remainder] = await this.#rowsOf(plan);
    const parts = [this.#runtime.rawScratch(quotient.shape), this.#runtime.rawScratch(remainder.shape)] as const;
    if (!this.#isProduct) {
      await kernels.splitColumns(gradient.reshape([plan.outputs, dim]), parts);
      return parts;
    }
    const perRow = this.#runtime.rawScratch([plan.lookups, dim]);
    unpoolRows(lookup, gradient.data, dim, perRow.data);
    await kernels.multiplyAdd(perRow, remainder, parts[0]);
    await kernels.multiplyAdd(perRow, quotient, parts[1]);
    return parts;
  }

  async #weightGradients(
    plan: Plan,
    gradient: Tensor,
    quotient: Tensor | undefined,
    remainder: Tensor | undefined,
  ): Promise<Tensor | undefined> {
    const { lookup } = this.#pair(plan);
    if (lookup.weightFactors === undefined) return undefined;
    const weights = this.#runtime.scratch([plan.lookups]);
    if (this.#isProduct) {
      const [q, r] = await this.#rowsOf(plan);
      const products = await this.#products(q, r);
      weightGradients(lookup, lookup.weightFactors, products.data, gradient.data, this.embeddingDim, weights.data);
    } else {
      for (const part of [quotient, remainder]) if (part !== undefined) await addTo(this.#runtime.kernels, weights, part);
    }
    return weights;
  }
}
