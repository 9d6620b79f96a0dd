import {
  checkState,
  type NamedTensors,
  Parameter,
  type Runtime,
  type Tensor,
  type UpdateRule,
  validateUpdateRule,
} from "@tt-rec/tensor";
import { checkCores, coreShape, type TTShape, toDense } from "@tt-rec/tt-math";
import type { Bags, EmbeddingBag, Plan, PlanMode, Pooling, SliceGradient, SliceGradients } from "./embedding-bag.ts";
import { type Lookup, resolveBags } from "./lookup/lookup.ts";
import { PlanBook } from "./lookup/plan-book.ts";
import { poolBackward, poolForward, weightsBackward } from "./lookup/pool.ts";
import { groupRows, type RowGroups } from "./lookup/row-groups.ts";
import { bundleGradients, checkGradient, matchParts } from "./slice-gradients.ts";
import { backwardLevel, type ChainExtents, chainExtents, forwardLevel, nodeSize } from "./tt/chain.ts";
import { buildPrefixTree, type PrefixLevel } from "./tt/prefix-tree.ts";

/** Options of `TTEmbeddingBag`. */
export interface TTEmbeddingBagOptions {
  /** Row shape, column shape and ranks, from tt-math's `createTTShape`. */
  readonly shape: TTShape;
  /** Initial cores, core k [p_k, r_k, q_k, r_(k+1)] row-major, from tt-math's `initializeCores` or `ttSvd`; copied. */
  readonly cores: readonly Float32Array[];
  /** How rows of a bag are joined. Default `sum`. */
  readonly pooling?: Pooling;
}

interface TTPlan {
  readonly lookup: Lookup;
  readonly groups: RowGroups;
  readonly levels: readonly PrefixLevel[];
  /** Products of each level from the last forward pass, kept for the backward pass of the same step. */
  products?: { readonly tensors: readonly Tensor[]; readonly version: number };
}

/**
 * An embedding table stored as a train of TT-cores (TT-Rec §3). A batch computes only its distinct rows, and each
 * distinct row prefix once; gradients are summed per row and per prefix before they reach a core.
 */
export class TTEmbeddingBag implements EmbeddingBag {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  /** Row shape, column shape and ranks. */
  readonly shape: TTShape;
  readonly #runtime: Runtime;
  readonly #pooling: Pooling;
  readonly #extents: ChainExtents;
  readonly #cores: readonly Parameter[];
  readonly #plans = new PlanBook<TTPlan>();
  /** Counts changes of the cores, so that products of older cores are not taken for today's. */
  #version = 0;

  /** Allocates the cores. Throws `E_SHAPE` if the number or the sizes of the initial cores do not fit the shape. */
  constructor(runtime: Runtime, { shape, cores, pooling = "sum" }: TTEmbeddingBagOptions) {
    checkCores({ shape, cores });
    this.numEmbeddings = shape.numEmbeddings;
    this.embeddingDim = shape.embeddingDim;
    this.shape = shape;
    this.#runtime = runtime;
    this.#pooling = pooling;
    this.#extents = chainExtents(shape.columnShape, shape.ranks);
    this.#cores = cores.map((core, k) => {
      const parameter = new Parameter(runtime, `core.${k}`, coreShape(shape, k));
      parameter.weights.data.set(core);
      return parameter;
    });
  }

  get bytes(): number {
    return this.#cores.reduce((sum, core) => sum + core.bytes, 0);
  }

  get parameterBytes(): number {
    return this.#cores.reduce((sum, core) => sum + core.weightBytes, 0);
  }

  plan(bags: Bags, _mode: PlanMode): Plan {
    return this.planLookup(resolveBags(bags, this.#pooling, this.numEmbeddings));
  }

  /** Prepares a lookup whose rows are known to be in range, for bags that are built from this one. */
  planLookup(lookup: Lookup): Plan {
    const groups = groupRows(lookup.rows);
    const levels = buildPrefixTree(groups.uniqueRows, this.shape.rowShape);
    const plan = { outputs: lookup.outputs, lookups: lookup.rows.length, uniqueRows: groups.uniqueRows.length };
    return this.#plans.issue(plan, { lookup, groups, levels });
  }

  async forward(plan: Plan): Promise<Tensor> {
    const details = this.#plans.details(plan);
    const products = this.#computeProducts(details);
    const out = this.#runtime.scratch([plan.outputs, this.embeddingDim]);
    poolForward(details.lookup, details.groups.groupOf, products[products.length - 1].data, this.embeddingDim, out.data);
    return out;
  }

  async backward(plan: Plan, gradient: Tensor): Promise<SliceGradients> {
    const details = this.#plans.details(plan);
    checkGradient(plan, this.embeddingDim, gradient);
    const { lookup, groups, levels } = details;
    const products = this.#computeProducts(details);
    const rows = products[products.length - 1];
    let weights: Tensor | undefined;
    if (lookup.weightFactors !== undefined) {
      weights = this.#runtime.scratch([lookup.rows.length]);
      weightsBackward(lookup, lookup.weightFactors, groups.groupOf, rows.data, gradient.data, this.embeddingDim, weights.data);
    }
    const parts: SliceGradient[] = [];
    let nodeGradients = this.#runtime.scratch(rows.shape);
    poolBackward(lookup, groups, gradient.data, this.embeddingDim, nodeGradients.data);
    for (let k = levels.length - 1; k >= 0; k--) {
      const core = this.#cores[k];
      const values = this.#runtime.scratch([levels[k].touched.length, core.sliceSize]);
      const above = k > 0 ? this.#runtime.scratch(products[k - 1].shape) : undefined;
      const parent = above && { products: products[k - 1].data, gradients: above.data };
      backwardLevel(k, this.#extents, levels[k], core.weights.data, nodeGradients.data, values.data, parent);
      parts.unshift({ parameter: core.name, slices: levels[k].touched, values });
      if (above !== undefined) nodeGradients = above;
    }
    return bundleGradients(parts, weights);
  }

  async apply(gradients: SliceGradients, rule: UpdateRule): Promise<void> {
    validateUpdateRule(rule);
    const matched = matchParts(this.#cores, gradients);
    this.#version++;
    for (const [parameter, part] of matched) parameter.updateSlices(rule, part.slices, part.values);
  }

  async step(plan: Plan, gradient: Tensor, rule: UpdateRule): Promise<void> {
    validateUpdateRule(rule);
    await this.apply(await this.backward(plan, gradient), rule);
  }

  async state(): Promise<NamedTensors> {
    return new Map(this.#cores.flatMap((core) => core.entries()));
  }

  async load(state: NamedTensors): Promise<void> {
    checkState(this.#cores, state);
    this.#version++;
    for (const core of this.#cores) core.load(state);
  }

  async toDense(): Promise<Tensor> {
    const dense = this.#runtime.tensor([this.numEmbeddings, this.embeddingDim]);
    toDense({ shape: this.shape, cores: this.#cores.map(({ weights }) => weights.data) }, dense.data);
    return dense;
  }

  dispose(): void {
    for (const core of this.#cores) core.dispose();
  }

  /** The products of every level, from the forward pass of this step if the cores have not changed since. */
  #computeProducts(plan: TTPlan): readonly Tensor[] {
    if (plan.products?.version === this.#version && !plan.products.tensors[0].disposed) return plan.products.tensors;
    const tensors: Tensor[] = [];
    for (const [k, level] of plan.levels.entries()) {
      const out = this.#runtime.scratch([level.count, nodeSize(this.#extents, k)]);
      forwardLevel(k, this.#extents, level, this.#cores[k].weights.data, tensors[k - 1]?.data, out.data);
      tensors.push(out);
    }
    plan.products = { tensors, version: this.#version };
    return tensors;
  }
}
