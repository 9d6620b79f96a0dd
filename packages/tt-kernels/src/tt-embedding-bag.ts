import { checkState, type NamedTensors, type Runtime, type Tensor, type UpdateRule, validateUpdateRule } from "@tt-rec/tensor";
import { type TTShape, toDense } from "@tt-rec/tt-math";
import type { BagBatch } from "./batch.ts";
import type { BagPhases, Bags, EmbeddingBag, Plan, PlanMode, Pooling, PreparedStep, SliceGradients } from "./embedding-bag.ts";
import { type Lookup, resolveBags } from "./lookup/lookup.ts";
import { PlanBook } from "./lookup/plan-book.ts";
import { noPhases, type Phases, runPhases } from "./phases.ts";
import { checkGradient, matchParts } from "./slice-gradients.ts";
import { TTCores } from "./tt-cores.ts";
import { applyCores, ttBatch } from "./tt-engine.ts";

/** Options of `TTEmbeddingBag`. */
export interface TTEmbeddingBagOptions {
  /** Row shape, column shape and ranks, from tt-math's `createTTShape`. */
  readonly shape: TTShape;
  /** Initial cores, core k [p_k, r_k, q_k, r_(k+1)] row-major, from tt-math's `initializeCores` or `ttSvd`; copied. */
  readonly cores: readonly Float32Array[];
  /** How rows of a bag are joined. Default `sum`. */
  readonly pooling?: Pooling;
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
  readonly phases: BagPhases = {
    sort: (plan) => this.#plans.details(plan).sort?.() ?? noPhases(),
    forward: (plan) => this.#plans.details(plan).forward(),
    prepare: (plan, gradient) => this.#batchFor(plan, gradient).prepare(gradient),
  };
  readonly #runtime: Runtime;
  readonly #pooling: Pooling;
  readonly #cores: TTCores;
  readonly #plans = new PlanBook<BagBatch>();

  /** Allocates the cores. Throws `E_SHAPE` if the number or the sizes of the initial cores do not fit the shape. */
  constructor(runtime: Runtime, { shape, cores, pooling = "sum" }: TTEmbeddingBagOptions) {
    this.#cores = new TTCores(runtime, shape, cores);
    this.numEmbeddings = shape.numEmbeddings;
    this.embeddingDim = shape.embeddingDim;
    this.shape = shape;
    this.#runtime = runtime;
    this.#pooling = pooling;
  }

  get bytes(): number {
    return this.#cores.bytes;
  }

  get parameterBytes(): number {
    return this.#cores.weightBytes;
  }

  plan(bags: Bags, mode: PlanMode): Plan {
    return this.planLookup(resolveBags(bags, this.#pooling, this.numEmbeddings), mode);
  }

  /** Prepares a lookup whose rows are known to be in range, for bags that are built from this one. */
  planLookup(lookup: Lookup, { training }: PlanMode): Plan {
    return this.#plans.issue(lookup, ttBatch(this.#runtime, this.#cores, lookup, training));
  }

  async forward(plan: Plan): Promise<Tensor> {
    return this.#run(this.phases.forward(plan));
  }

  async backward(plan: Plan, gradient: Tensor): Promise<SliceGradients> {
    return this.#run(this.#batchFor(plan, gradient).backward(gradient));
  }

  async prepare(plan: Plan, gradient: Tensor): Promise<PreparedStep> {
    return this.#run(this.phases.prepare(plan, gradient));
  }

  async apply(gradients: SliceGradients, rule: UpdateRule): Promise<void> {
    validateUpdateRule(rule);
    await this.#run(applyCores(this.#runtime, this.#cores, matchParts(this.#cores.parameters, gradients), rule));
  }

  async step(plan: Plan, gradient: Tensor, rule: UpdateRule): Promise<void> {
    validateUpdateRule(rule);
    await this.#run(this.#batchFor(plan, gradient).step(gradient, rule));
  }

  async state(): Promise<NamedTensors> {
    return new Map(this.#cores.parameters.flatMap((core) => core.entries()));
  }

  async load(state: NamedTensors): Promise<void> {
    checkState(this.#cores.parameters, state);
    this.#cores.version++;
    for (const core of this.#cores.parameters) core.load(state);
  }

  async toDense(): Promise<Tensor> {
    const dense = this.#runtime.table([this.numEmbeddings, this.embeddingDim]);
    toDense({ shape: this.shape, cores: this.#cores.parameters.map(({ weights }) => weights.data) }, dense.data);
    return dense;
  }

  dispose(): void {
    this.#cores.dispose();
  }

  /** The batch of a plan, after a check of the gradient's shape. */
  #batchFor(plan: Plan, gradient: Tensor): BagBatch {
    const batch = this.#plans.details(plan);
    checkGradient(plan, this.embeddingDim, gradient);
    return batch;
  }

  #run<T>(phases: Phases<T>): Promise<T> {
    return runPhases(this.#runtime.host, phases);
  }
}
