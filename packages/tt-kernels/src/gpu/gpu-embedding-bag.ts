import {
  checkState,
  type HostTensor,
  type NamedTensors,
  type Runtime,
  type Tensor,
  TtError,
  type UpdateRule,
} from "@tt-rec/tensor";
import type {
  Bags,
  EmbeddingBag,
  Plan,
  PlanMode,
  Pooling,
  PreparedStep,
  SliceGradient,
  SliceGradients,
} from "../embedding-bag.ts";
import { resolveBags } from "../lookup/lookup.ts";
import { PlanBook } from "../lookup/plan-book.ts";
import { bundleGradients, checkGradient, matchParts } from "../slice-gradients.ts";
import type { GpuArray } from "./gpu-array.ts";
import { GpuBatch } from "./gpu-batch.ts";
import { TERM_NUMBERS } from "./gpu-device.ts";
import { type GpuParameter, type GpuSlices, validateGpuRule } from "./gpu-parameter.ts";
import type { KernelSet } from "./kernel-set.ts";
import { dotSource, gatherSource, gatherSumSource, squaresSource } from "./kernel-sources.ts";
import { StepArrays } from "./step-arrays.ts";

/** Where the rows of a batch lie on the device. */
export interface GpuRows {
  /** The array that holds them. */
  readonly array: GpuArray;
  /** Its row for each position. */
  readonly rowOf: Uint32Array;
}

/** Gradients of one parameter on the device. */
export interface GpuPart extends GpuSlices {
  /** The parameter. */
  readonly parameter: GpuParameter;
}

/** Squares of gradients are taken of this multiple of them, so that they are finite if and only if the gradients are. */
const TINY = 2 ** -76;

/** What the bags on a device have in common: pooling, its transpose, and the contract of `EmbeddingBag`. */
export abstract class GpuEmbeddingBag implements EmbeddingBag {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  protected readonly runtime: Runtime;
  protected readonly kernels: KernelSet;
  readonly #pooling: Pooling;
  readonly #capacity: number;
  readonly #plans = new PlanBook<GpuBatch>();
  readonly #arrays = new StepArrays();
  #version = 0;

  protected constructor(
    runtime: Runtime,
    kernels: KernelSet,
    extents: { readonly numEmbeddings: number; readonly embeddingDim: number },
    pooling: Pooling,
    capacity: number,
  ) {
    if (!(Number.isSafeInteger(capacity) && capacity >= 1)) {
      throw new TtError("E_OPTION", `capacity = ${capacity} is not a whole number of at least 1`);
    }
    this.runtime = runtime;
    this.kernels = kernels;
    this.numEmbeddings = extents.numEmbeddings;
    this.embeddingDim = extents.embeddingDim;
    this.#pooling = pooling;
    this.#capacity = capacity;
    kernels.device.check("the lookups of a batch", Math.max(TERM_NUMBERS, this.embeddingDim), capacity + 1);
  }

  /** The parameters, in the order of their gradients. */
  protected abstract readonly parameters: readonly GpuParameter[];

  /** Makes the rows of a batch. */
  protected abstract rowsOf(batch: GpuBatch): Promise<GpuRows>;

  /** Gradients of the parameters from those of the distinct rows [uniqueRows, D]. */
  protected abstract partsOf(batch: GpuBatch, rowGradients: GpuArray): Promise<GpuPart[]>;

  abstract toDense(): Promise<Tensor>;

  get bytes(): number {
    return this.parameters.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get parameterBytes(): number {
    return this.parameters.reduce((sum, { weightBytes }) => sum + weightBytes, 0);
  }

  plan(bags: Bags, { training }: PlanMode): Plan {
    const lookup = resolveBags(bags, this.#pooling, this.numEmbeddings);
    for (const [what, count] of [
      ["lookups", lookup.rows.length],
      ["outputs", lookup.outputs],
    ] as const) {
      if (count > this.#capacity) {
        throw new TtError("E_GPU", `the batch has ${count} ${what}; the bag was made with a capacity of ${this.#capacity}`);
      }
    }
    return this.#plans.issue(lookup, new GpuBatch(lookup, training));
  }

  async forward(plan: Plan): Promise<Tensor> {
    const batch = this.#plans.details(plan);
    const { lookup } = batch;
    const out = this.runtime.scratch([lookup.outputs, this.embeddingDim]);
    if (lookup.rows.length === 0) return out;
    this.#arrays.sweep();
    const { array, rowOf } = await this.rowsOf(batch);
    const weighted = lookup.coefficients !== undefined;
    const terms = await this.upload(batch.poolTerms(rowOf), weighted ? 2 : 1);
    const pooled =
      lookup.offsets === undefined
        ? await this.run(gatherSource(weighted), this.embeddingDim, lookup.outputs, [array, terms])
        : await this.run(gatherSumSource(weighted), this.embeddingDim, lookup.outputs, [
            array,
            terms,
            await this.uploadStarts(lookup.offsets),
          ]);
    const values = await this.kernels.device.download(pooled, lookup.outputs);
    out.data.set(values);
    return out;
  }

  async backward(plan: Plan, gradient: Tensor): Promise<SliceGradients> {
    const { parts, weights } = await this.#gradients(this.#batchFor(plan, gradient), gradient);
    const onHost: SliceGradient[] = [];
    for (const parameter of this.parameters) {
      const part = parts.find((candidate) => candidate.parameter === parameter);
      const slices = part?.slices ?? new Uint32Array(0);
      const stack = this.runtime.scratch([slices.length, parameter.sliceSize]);
      // The heap may grow while the device is read, which replaces a tensor's data.
      const values = part === undefined ? [] : await this.kernels.device.download(part.values, slices.length);
      stack.data.set(values);
      onHost.push({ parameter: parameter.name, slices, values: stack });
    }
    return bundleGradients(onHost, weights);
  }

  async prepare(plan: Plan, gradient: Tensor): Promise<PreparedStep> {
    const { parts } = await this.#gradients(this.#batchFor(plan, gradient), gradient, false);
    // Side by side, so that the host waits for the device once.
    const sums = await Promise.all(
      parts.map(async ({ parameter, slices, values }) => {
        const squares = await this.run(squaresSource(parameter.sliceSize), 1, slices.length, [values, TINY]);
        return this.kernels.device.download(squares, slices.length);
      }),
    );
    return {
      finite: sums.every((squares) => squares.every(Number.isFinite)),
      apply: async (rule) => {
        validateGpuRule(rule);
        await this.#update(parts, rule);
      },
    };
  }

  async apply(gradients: SliceGradients, rule: UpdateRule): Promise<void> {
    validateGpuRule(rule);
    const parts: GpuPart[] = [];
    for (const [parameter, { slices, values }] of matchParts(this.parameters, gradients)) {
      if (slices.length === 0) continue;
      const stack = await this.upload(values.data, parameter.sliceSize);
      parts.push({ parameter, slices, touched: await this.uploadSlices(slices), values: stack });
    }
    await this.#update(parts, rule);
  }

  async step(plan: Plan, gradient: Tensor, rule: UpdateRule): Promise<void> {
    validateGpuRule(rule);
    const { parts } = await this.#gradients(this.#batchFor(plan, gradient), gradient, false);
    await this.#update(parts, rule);
  }

  async state(): Promise<NamedTensors> {
    const state = new Map<string, HostTensor>();
    for (const parameter of this.parameters) {
      for (const [name, tensor] of await parameter.entries()) state.set(name, tensor);
    }
    return state;
  }

  async load(state: NamedTensors): Promise<void> {
    checkState(this.parameters, state);
    this.#version++;
    for (const parameter of this.parameters) parameter.load(state);
  }

  dispose(): void {
    this.#arrays.dispose();
    for (const parameter of this.parameters) parameter.dispose();
    this.kernels.dispose();
  }

  /** Counts changes of the parameters. */
  protected get version(): number {
    return this.#version;
  }

  /** Calls a kernel; its result dies with the step. */
  protected async run(source: string, columns: number, rows: number, args: readonly (GpuArray | number)[]): Promise<GpuArray> {
    const life = this.runtime.scratchLife;
    return this.#arrays.own(life, await this.kernels.run(source, columns, rows, args));
  }

  /** Copies numbers to the device until the end of the step. */
  protected async upload(values: Float32Array, columns: number): Promise<GpuArray> {
    const life = this.runtime.scratchLife;
    return this.#arrays.own(life, await this.kernels.device.upload(values, columns));
  }

  /** Copies where ranges start, until the end of the step. */
  protected async uploadStarts(starts: ArrayLike<number>): Promise<GpuArray> {
    const life = this.runtime.scratchLife;
    return this.#arrays.own(life, await this.kernels.device.uploadStarts(starts));
  }

  /** Copies slice numbers. */
  protected uploadSlices(slices: Uint32Array): Promise<GpuArray> {
    return this.upload(Float32Array.from(slices), 1);
  }

  /** The batch of a plan, after a check of the gradient's shape. */
  #batchFor(plan: Plan, gradient: Tensor): GpuBatch {
    const batch = this.#plans.details(plan);
    checkGradient(plan, this.embeddingDim, gradient);
    return batch;
  }

  async #gradients(
    batch: GpuBatch,
    gradient: Tensor,
    ofWeights = true,
  ): Promise<{ readonly parts: readonly GpuPart[]; readonly weights: Tensor | undefined }> {
    const { lookup } = batch;
    const ofFactors = ofWeights && lookup.weightFactors !== undefined;
    const weights = ofFactors ? this.runtime.scratch([lookup.rows.length]) : undefined;
    if (lookup.rows.length === 0) return { parts: [], weights };
    this.#arrays.sweep();
    const upstream = await this.upload(gradient.data, this.embeddingDim);
    if (weights !== undefined) await this.#weightGradients(batch, upstream, weights);
    const weighted = lookup.coefficients !== undefined;
    const rowGradients = await this.run(gatherSumSource(weighted), this.embeddingDim, batch.uniqueRows, [
      upstream,
      await this.upload(batch.rowGradientTerms(), weighted ? 2 : 1),
      await this.uploadStarts(batch.groups.starts),
    ]);
    return { parts: await this.partsOf(batch, rowGradients), weights };
  }

  async #weightGradients(batch: GpuBatch, upstream: GpuArray, out: Tensor): Promise<void> {
    const { weightFactors = [] } = batch.lookup;
    const { array, rowOf } = await this.rowsOf(batch);
    const pairs = await this.upload(batch.dotPairs(rowOf), 2);
    const dots = await this.run(dotSource(this.embeddingDim), 1, out.size, [array, upstream, pairs]);
    const values = await this.kernels.device.download(dots, out.size);
    const { data } = out;
    for (let p = 0; p < data.length; p++) data[p] = weightFactors[p] * values[p];
  }

  async #update(parts: readonly GpuPart[], rule: UpdateRule): Promise<void> {
    this.#version++;
    for (const parameter of this.parameters) {
      await parameter.update(
        rule,
        parts.find((part) => part.parameter === parameter),
      );
    }
  }
}
