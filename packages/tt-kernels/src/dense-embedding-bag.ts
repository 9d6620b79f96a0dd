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
import type { BagBatch } from "./batch.ts";
import { applyRows, denseBatch } from "./dense-engine.ts";
import type { BagPhases, Bags, EmbeddingBag, Plan, PlanMode, Pooling, PreparedStep, SliceGradients } from "./embedding-bag.ts";
import { type Lookup, resolveBags } from "./lookup/lookup.ts";
import { PlanBook } from "./lookup/plan-book.ts";
import { type Phases, runPhases } from "./phases.ts";
import { checkGradient, matchParts } from "./slice-gradients.ts";

/** Options of `DenseEmbeddingBag`. */
export interface DenseEmbeddingBagOptions {
  /** Rows n of the table, at most 2^32 − 1. */
  readonly numEmbeddings: number;
  /** Columns D of the table. */
  readonly embeddingDim: number;
  /** How rows of a bag are joined. Default `sum`. */
  readonly pooling?: Pooling;
  /** Name of the table in states and gradients. Default `table`. */
  readonly name?: string;
  /** Fills the zeroed table [n, D] in place, row-major. */
  readonly initialize?: (table: Float32Array) => void;
}

/** The uncompressed embedding table: gather, pool, and updates of the rows that were looked up. */
export class DenseEmbeddingBag implements EmbeddingBag {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly phases: BagPhases = {
    forward: (plan) => this.#plans.details(plan).forward(),
    prepare: (plan, gradient) => this.#batchFor(plan, gradient).prepare(gradient),
  };
  readonly #runtime: Runtime;
  readonly #pooling: Pooling;
  readonly #table: Parameter;
  readonly #plans = new PlanBook<BagBatch>();

  /** Allocates the table. Throws `E_SHAPE` on bad extents and `E_MEMORY` if the bytes are not to be had. */
  constructor(
    runtime: Runtime,
    { numEmbeddings, embeddingDim, pooling = "sum", name = "table", initialize }: DenseEmbeddingBagOptions,
  ) {
    checkExtents(numEmbeddings, embeddingDim);
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.#runtime = runtime;
    this.#pooling = pooling;
    this.#table = new Parameter(runtime, name, [numEmbeddings, embeddingDim], { table: true });
    initialize?.(this.#table.weights.data);
  }

  get bytes(): number {
    return this.#table.bytes;
  }

  get parameterBytes(): number {
    return this.#table.weightBytes;
  }

  plan(bags: Bags, _mode: PlanMode): Plan {
    return this.planLookup(resolveBags(bags, this.#pooling, this.numEmbeddings));
  }

  /** Prepares a lookup whose rows are known to be in range, for bags that are built from this one. */
  planLookup(lookup: Lookup): Plan {
    return this.#plans.issue(lookup, denseBatch(this.#runtime, this.#table, lookup));
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
    for (const [parameter, part] of matchParts([this.#table], gradients))
      await this.#run(applyRows(this.#runtime, parameter, part, rule));
  }

  /** Throws what `apply` would throw, for bags that are built from this one and must not write half an update. */
  checkGradients(gradients: SliceGradients): void {
    matchParts([this.#table], gradients);
  }

  async step(plan: Plan, gradient: Tensor, rule: UpdateRule): Promise<void> {
    validateUpdateRule(rule);
    await this.#run(this.#batchFor(plan, gradient).step(gradient, rule));
  }

  async state(): Promise<NamedTensors> {
    return new Map(this.#table.entries());
  }

  /** Throws what `load` would throw, for bags that are built from this one and must know before they write. */
  checkState(state: NamedTensors): void {
    checkState([this.#table], state);
  }

  async load(state: NamedTensors): Promise<void> {
    this.checkState(state);
    this.#table.load(state);
  }

  async toDense(): Promise<Tensor> {
    const dense = this.#runtime.table([this.numEmbeddings, this.embeddingDim]);
    dense.data.set(this.#table.weights.data);
    return dense;
  }

  dispose(): void {
    this.#table.dispose();
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

/** Throws `E_SHAPE` unless these are extents of a table. */
export function checkExtents(numEmbeddings: number, embeddingDim: number): void {
  if (!(Number.isInteger(numEmbeddings) && numEmbeddings >= 1 && numEmbeddings < 2 ** 32)) {
    throw new TtError("E_SHAPE", `numEmbeddings = ${numEmbeddings} is not a whole number from 1 to 2^32 − 1`);
  }
  if (!(Number.isInteger(embeddingDim) && embeddingDim >= 1)) {
    throw new TtError("E_SHAPE", `embeddingDim = ${embeddingDim} is not a whole number of at least 1`);
  }
}
