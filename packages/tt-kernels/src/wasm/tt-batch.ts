import { type Lifetime, type Runtime, type Tensor, TtError, type UpdateRule, validateUpdateRule } from "@tt-rec/tensor";
import type { BagBatch } from "../batch.ts";
import type { PhasedStep, SliceGradient, SliceGradients } from "../embedding-bag.ts";
import type { Lookup } from "../lookup/lookup.ts";
import { countDistinct } from "../lookup/row-groups.ts";
import { type Phases, runPhases } from "../phases.ts";
import type { TTCores } from "../tt-cores.ts";
import { applyParts } from "./apply.ts";
import { type BagKernels, bagKernels } from "./kernels.ts";
import { sumsOfSquares } from "./squares.ts";
import {
  type BackwardContext,
  backwardProducts,
  coreGradients,
  gradientsAreBounded,
  type ProductGradients,
} from "./tt-backward.ts";
import { computeProducts, type Products, poolOutputs } from "./tt-forward.ts";
import { type PlannedBatch, planBatch } from "./tt-plan.ts";
import { storeAt, updateOf, updatesPiecewise } from "./update-record.ts";

/** A batch on the wasm kernels. What it keeps on the heap lives as long as the step; a later step plans again. */
export class WasmTTBatch implements BagBatch {
  readonly #runtime: Runtime;
  readonly #kernels: BagKernels;
  readonly #cores: TTCores;
  readonly #lookup: Lookup;
  readonly #training: boolean;
  #planned: { readonly batch: PlannedBatch; readonly life: Readonly<Lifetime> } | undefined;
  #products:
    | { readonly of: PlannedBatch; readonly version: number; readonly kept: boolean; readonly products: Products }
    | undefined;
  #uniqueRows: number | undefined;

  constructor(runtime: Runtime, cores: TTCores, lookup: Lookup, training: boolean) {
    this.#runtime = runtime;
    this.#kernels = bagKernels(runtime.host);
    this.#cores = cores;
    this.#lookup = lookup;
    this.#training = training;
  }

  get uniqueRows(): number {
    this.#uniqueRows ??= countDistinct(this.#lookup);
    return this.#uniqueRows;
  }

  /** The distinct rows [uniqueRows, D] on the heap, and which of them each position has. */
  *distinctRows(): Phases<{ readonly batch: PlannedBatch; readonly rows: number }> {
    const batch = yield* this.#plan();
    return { batch, rows: (yield* this.#computeProducts(batch, this.#training)).rows };
  }

  *sort(): Phases<void> {
    yield* this.#plan();
  }

  *forward(): Phases<Tensor> {
    const { host } = this.#runtime;
    const { batch, rows } = yield* this.distinctRows();
    const out = this.#runtime.rawScratch([this.#lookup.outputs, this.#cores.shape.embeddingDim]);
    yield* poolOutputs(host, this.#reserve, this.#kernels, batch, batch.rowOf, rows, out);
    return out;
  }

  *backward(gradient: Tensor): Phases<SliceGradients> {
    const context = yield* this.#context();
    const { weightFactors } = this.#lookup;
    const weights = weightFactors && this.#runtime.rawScratch([context.batch.positions]);
    const wanted = weights && { factors: weightFactors, gradients: weights };
    const gradients = yield* backwardProducts(context, gradient, wanted);
    const parts = yield* this.#stackGradients(context, gradients);
    return { parts, sumOfSquares: yield* this.#sumOfSquares(parts), ...(weights && { weights }) };
  }

  *prepare(gradient: Tensor): Phases<PhasedStep> {
    const context = yield* this.#context();
    const gradients = yield* backwardProducts(context, gradient, undefined);
    let finite = yield* gradientsAreBounded(context, gradients);
    if (!finite) {
      const parts = yield* this.#stackGradients(context, gradients);
      finite = Number.isFinite(yield* this.#sumOfSquares(parts));
    }
    const { version } = this.#cores;
    const applyPhases = (rule: UpdateRule): Phases<void> => {
      validateUpdateRule(rule);
      // The sums of the gradients read the first core.
      if (this.#cores.version !== version)
        throw new TtError("E_STALE_PLAN", "the cores have changed since the step was prepared");
      return this.#update(context, gradients, rule);
    };
    return { finite, applyPhases, apply: async (rule) => runPhases(this.#runtime.host, applyPhases(rule)) };
  }

  *step(gradient: Tensor, rule: UpdateRule): Phases<void> {
    const context = yield* this.#context();
    yield* this.#update(context, yield* backwardProducts(context, gradient, undefined), rule);
  }

  /** Applies the gradients of the cores as they are summed. */
  *#update(context: BackwardContext, gradients: ProductGradients, rule: UpdateRule): Phases<void> {
    const { parameters } = this.#cores;
    if (!updatesPiecewise(rule)) {
      // Row-wise Adagrad needs the whole slice before the first element is updated; momentum and Adam have no piecewise kernel.
      const parts = yield* this.#stackGradients(context, gradients);
      this.#cores.version++;
      const pairs = parts.map((part, k) => [parameters[k], part] as const);
      yield* applyParts(this.#runtime, this.#kernels, pairs, rule);
      return;
    }
    this.#cores.version++;
    const finishes = parameters.map((core) => updateOf(rule, core));
    yield* coreGradients(context, gradients, finishes);
  }

  *#stackGradients(context: BackwardContext, gradients: ProductGradients): Phases<SliceGradient[]> {
    const { batch, host } = context;
    const touched = [
      ...batch.levels.map(({ buckets, bucketDigits }) => [buckets, bucketDigits]),
      [batch.segments, batch.segmentDigits],
    ];
    const parts = this.#cores.parameters.map((core, k) => {
      const [count, digits] = touched[k];
      const values = this.#runtime.rawScratch([count, core.sliceSize]);
      return { parameter: core.name, slices: host.words.slice(digits / 4, digits / 4 + count), values };
    });
    const finishes = parts.map(({ values }) => storeAt(values.byteOffset));
    yield* coreGradients(context, gradients, finishes);
    return parts;
  }

  *#sumOfSquares(parts: readonly SliceGradient[]): Phases<number> {
    const ranges = parts.map(({ values }) => ({ offset: values.byteOffset, count: values.size }));
    return (yield* sumsOfSquares(this.#runtime.host, this.#reserve, this.#kernels, ranges)).reduce((a, b) => a + b, 0);
  }

  *#context(): Phases<BackwardContext> {
    const batch = yield* this.#plan();
    const products = yield* this.#computeProducts(batch, true);
    return { host: this.#runtime.host, reserve: this.#reserve, kernels: this.#kernels, cores: this.#cores, batch, products };
  }

  /** The plan of this step. */
  *#plan(): Phases<PlannedBatch> {
    if (this.#planned?.life.alive === true) return this.#planned.batch;
    const { host, scratchLife } = this.#runtime;
    const batch = yield* planBatch(host, this.#reserve, this.#kernels, this.#cores.shape, this.#lookup);
    this.#planned = { batch, life: scratchLife };
    this.#uniqueRows = batch.uniqueRows;
    return batch;
  }

  /** The products of this step, if the cores have not changed since. */
  *#computeProducts(batch: PlannedBatch, keep: boolean): Phases<Products> {
    const { version } = this.#cores;
    const known = this.#products;
    if (known?.of === batch && known.version === version && (known.kept || !keep)) return known.products;
    const products = yield* computeProducts(this.#runtime.host, this.#reserve, this.#kernels, this.#cores, batch, keep);
    this.#products = { of: batch, version, kept: keep, products };
    return products;
  }

  readonly #reserve = (byteLength: number): number => this.#runtime.reserve(byteLength);
}
