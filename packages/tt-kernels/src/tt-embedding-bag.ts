import {
  checkState,
  type NamedTensors,
  type Parameter,
  type Runtime,
  type Tensor,
  type UpdateRule,
  validateUpdateRule,
} from "@tt-rec/tensor";
import { type TTShape, toDense } from "@tt-rec/tt-math";
import type { BagBatch } from "./batch.ts";
import type {
  BagPhases,
  Bags,
  EmbeddingBag,
  OverlaidPlan,
  Plan,
  PlanMode,
  Pooling,
  PreparedStep,
  SliceGradients,
} from "./embedding-bag.ts";
import type { LaidRows } from "./int8-rows.ts";
import { type Lookup, resolveBags } from "./lookup/lookup.ts";
import type { OverlaidLookup } from "./lookup/overlay.ts";
import { PlanBook } from "./lookup/plan-book.ts";
import { noPhases, type Phases, runPhases, sideBySide } from "./phases.ts";
import { checkGradient, matchParts } from "./slice-gradients.ts";
import { TTCores } from "./tt-cores.ts";
import { applyCores, applyLaid, overlaidBatch, ttBatch } from "./tt-engine.ts";

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
  readonly phases: Required<BagPhases> = {
    sort: (plan) => this.#plans.details(plan).sort?.() ?? noPhases(),
    forward: (plan) => this.#plans.details(plan).forward(),
    prepare: (plan, gradient) => this.#batchFor(plan, gradient).prepare(gradient),
  };
  readonly #runtime: Runtime;
  readonly #pooling: Pooling;
  readonly #cores: TTCores;
  readonly #laid: LaidRows | undefined;
  readonly #parameters: readonly (Parameter | LaidRows)[];
  readonly #plans = new PlanBook<BagBatch>();

  /**
   * Allocates the cores. Throws `E_SHAPE` if the number or the sizes of the initial cores do not fit the shape. `laid`, rows
   * [·, D] on the heap that are laid over those of the table, is for bags that are built from this one: the rows are looked up by
   * `planOverlaid`, and are one more parameter of the bag in all else but `toDense`.
   */
  constructor(runtime: Runtime, { shape, cores, pooling = "sum" }: TTEmbeddingBagOptions, laid?: LaidRows) {
    this.#cores = new TTCores(runtime, shape, cores);
    this.#laid = laid;
    this.#parameters = laid === undefined ? this.#cores.parameters : [...this.#cores.parameters, laid];
    this.numEmbeddings = shape.numEmbeddings;
    this.embeddingDim = shape.embeddingDim;
    this.shape = shape;
    this.#runtime = runtime;
    this.#pooling = pooling;
  }

  get bytes(): number {
    return this.#parameters.reduce((sum, { bytes }) => sum + bytes, 0);
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

  /** As `planLookup`, with positions that the rows laid over the table answer. */
  planOverlaid(overlaid: OverlaidLookup, { training }: PlanMode): OverlaidPlan {
    const batch = overlaidBatch(this.#runtime, this.#cores, this.#laid as LaidRows, overlaid, training);
    return this.#plans.issue(overlaid.lookup, batch);
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

  async apply(gradients: SliceGradients, rule: UpdateRule, cachedRule: UpdateRule = rule): Promise<void> {
    for (const each of [rule, cachedRule]) validateUpdateRule(each);
    matchParts(this.#parameters, gradients);
    const laid = this.#laid;
    // As in a step, what no position looked up gets no optimizer state.
    const ofRows = gradients.parts.filter(({ parameter, slices }) => parameter === laid?.name && slices.length > 0);
    const ofCores = gradients.parts.filter(
      ({ parameter, slices }) => parameter !== laid?.name && (ofRows.length === 0 || slices.length > 0),
    );
    const parts = matchParts(this.#cores.parameters, { ...gradients, parts: ofCores });
    const cores = applyCores(this.#runtime, this.#cores, parts, rule);
    const rows = ofRows.map((part) => applyLaid(this.#runtime, laid as LaidRows, part, cachedRule));
    await this.#run(sideBySide([cores, ...rows]));
  }

  async step(plan: Plan, gradient: Tensor, rule: UpdateRule): Promise<void> {
    validateUpdateRule(rule);
    await this.#run(this.#batchFor(plan, gradient).step(gradient, rule));
  }

  async state(): Promise<NamedTensors> {
    return new Map(this.#parameters.flatMap((core) => core.entries()));
  }

  async load(state: NamedTensors): Promise<void> {
    checkState(this.#parameters, state);
    this.#cores.version++;
    for (const parameter of this.#parameters) parameter.load(state);
  }

  async toDense(): Promise<Tensor> {
    const dense = this.#runtime.table([this.numEmbeddings, this.embeddingDim]);
    toDense({ shape: this.shape, cores: this.#cores.parameters.map(({ weights }) => weights.data) }, dense.data);
    return dense;
  }

  dispose(): void {
    this.#cores.dispose();
    this.#laid?.dispose();
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
