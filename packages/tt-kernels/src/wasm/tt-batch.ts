import type { Lifetime, Runtime, Tensor, UpdateRule } from "@tt-rec/tensor";
import type { SliceGradients } from "../embedding-bag.ts";
import type { Lookup } from "../lookup/lookup.ts";
import { groupRows } from "../reference/row-groups.ts";
import { bundleGradients } from "../slice-gradients.ts";
import type { TTCores } from "../tt-cores.ts";
import type { TTBatch } from "../tt-engine.ts";
import { applyParts } from "./apply.ts";
import { type BagKernels, bagKernels } from "./kernels.ts";
import { type Phases, runPhases } from "./phases.ts";
import { type BackwardContext, backwardProducts, coreGradients } from "./tt-backward.ts";
import { computeProducts, type Products, poolOutputs } from "./tt-forward.ts";
import { type PlannedBatch, planBatch } from "./tt-plan.ts";
import { storeAt, updateOf } from "./update-record.ts";

/** A batch on the wasm kernels. What it keeps on the heap lives as long as the step; a later step plans again. */
export class WasmTTBatch implements TTBatch {
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
    this.#uniqueRows ??= groupRows(this.#lookup.rows).uniqueRows.length;
    return this.#uniqueRows;
  }

  forward(): Promise<Tensor> {
    return runPhases(this.#runtime.host, this.forwardPhases());
  }

  backward(gradient: Tensor): Promise<SliceGradients> {
    return runPhases(this.#runtime.host, this.backwardPhases(gradient)).then(({ parts, weights }) =>
      bundleGradients(this.#runtime, parts, weights),
    );
  }

  async step(gradient: Tensor, rule: UpdateRule): Promise<void> {
    await runPhases(this.#runtime.host, this.stepPhases(gradient, rule));
  }

  /** The phases of `forward`. */
  *forwardPhases(): Phases<Tensor> {
    const { host } = this.#runtime;
    const batch = yield* this.#plan();
    const { rows } = yield* this.#computeProducts(batch, this.#training);
    const out = this.#runtime.rawScratch([this.#lookup.outputs, this.#cores.shape.embeddingDim]);
    yield* poolOutputs(host, this.#reserve, this.#kernels, batch, batch.rowOf, rows, out);
    return out;
  }

  /** The phases of `backward`, without the sum of squares. */
  *backwardPhases(gradient: Tensor): Phases<Omit<SliceGradients, "sumOfSquares">> {
    const context = yield* this.#context();
    const { batch, host } = context;
    const { weightFactors } = this.#lookup;
    const weights = weightFactors && this.#runtime.rawScratch([batch.positions]);
    const wanted = weights && { factors: weightFactors, gradients: weights };
    const gradients = yield* backwardProducts(context, gradient, wanted);
    const touched = [
      ...batch.levels.map(({ buckets, bucketDigits }) => [buckets, bucketDigits]),
      [batch.segments, batch.segmentDigits],
    ];
    const parts = this.#cores.parameters.map((core, k) => {
      const [count, digits] = touched[k];
      const values = this.#runtime.rawScratch([count, core.sliceSize]);
      return { parameter: core.name, slices: host.words.slice(digits / 4, digits / 4 + count), values };
    });
    yield* coreGradients(
      context,
      gradients,
      parts.map(({ values }) => storeAt(values.byteOffset)),
    );
    return { parts, ...(weights && { weights }) };
  }

  /** The phases of `step`. */
  *stepPhases(gradient: Tensor, rule: UpdateRule): Phases<void> {
    const { parameters } = this.#cores;
    if (rule.kind === "rowWiseAdagrad") {
      // Its accumulator needs the whole slice before the first element is updated.
      const { parts } = yield* this.backwardPhases(gradient);
      this.#cores.version++;
      yield* applyParts(
        this.#runtime,
        this.#kernels,
        parts.map((part, k) => [parameters[k], part]),
        rule,
      );
      return;
    }
    const context = yield* this.#context();
    const gradients = yield* backwardProducts(context, gradient, undefined);
    this.#cores.version++;
    yield* coreGradients(
      context,
      gradients,
      parameters.map((core) => updateOf(rule, core)),
    );
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
