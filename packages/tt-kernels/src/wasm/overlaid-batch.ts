import { type Lifetime, type Parameter, type Runtime, type Tensor, type UpdateRule, validateUpdateRule } from "@tt-rec/tensor";
import type { BagBatch } from "../batch.ts";
import type { PhasedStep, SliceGradients } from "../embedding-bag.ts";
import type { LaidRows } from "../int8-rows.ts";
import type { Lookup } from "../lookup/lookup.ts";
import type { OverlaidLookup } from "../lookup/overlay.ts";
import { type Phases, runPhases, sideBySide } from "../phases.ts";
import type { TTCores } from "../tt-cores.ts";
import { copyFloats, copyWords, writeRecord } from "./batch-arrays.ts";
import { WasmDenseBatch } from "./dense-batch.ts";
import { type GatheredRows, WasmInt8Batch } from "./int8-batch.ts";
import { bagKernels } from "./kernels.ts";
import { taskOf, timeOf } from "./tasks.ts";
import { WasmTTBatch } from "./tt-batch.ts";
import type { PlannedBatch } from "./tt-plan.ts";

/** A list in scratch memory, which is gone with it. */
class ScratchPlace {
  readonly #runtime: Runtime;
  #offset = 0;
  #life: Readonly<Lifetime> | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  get offset(): number {
    return this.#life?.alive === true ? this.#offset : 0;
  }

  keep(offset: number): void {
    this.#offset = offset;
    this.#life = this.#runtime.scratchLife;
  }
}

/**
 * A batch of a TT table over which other rows are laid, on the wasm kernels. The positions that have a slot train those rows,
 * the others the cores, each as if the rest were not there; one pass over the outputs pools both.
 */
export class WasmOverlaidBatch implements BagBatch {
  readonly #runtime: Runtime;
  readonly #laid: LaidRows;
  readonly #lookup: Lookup;
  readonly #slots: Uint32Array;
  readonly #tt: WasmTTBatch;
  readonly #rows: WasmDenseBatch | WasmInt8Batch;
  /** The parts that have a position. */
  readonly #parts: readonly BagBatch[];

  constructor(runtime: Runtime, cores: TTCores, laid: LaidRows, overlaid: OverlaidLookup, training: boolean) {
    this.#runtime = runtime;
    this.#laid = laid;
    const { lookup, slots, laid: above, below } = overlaid;
    this.#lookup = lookup;
    this.#slots = slots;
    // The gradients of weights need both parts. Written out, since rest and spread take longer than a kernel of a small batch.
    const { outputs, rows, offsets, coefficients } = lookup;
    const outputsPlace = new ScratchPlace(runtime);
    this.#tt = new WasmTTBatch(
      runtime,
      cores,
      { outputs, rows, offsets, coefficients, positions: below, outputsPlace },
      training,
    );
    const cached = { outputs, rows: slots, offsets, coefficients, positions: above, outputsPlace };
    this.#rows =
      "weights" in laid ? new WasmDenseBatch(runtime, laid, runtime.host, cached) : new WasmInt8Batch(runtime, laid, cached);
    this.#parts = above.length === 0 ? [this.#tt] : below.length === 0 ? [this.#rows] : [this.#tt, this.#rows];
  }

  get uniqueRows(): number {
    return this.#tt.uniqueRows + this.#rows.uniqueRows;
  }

  get uniqueLaid(): number {
    return this.#rows.uniqueRows;
  }

  sort(): Phases<void> {
    return allOf(this.#parts.flatMap((part) => part.sort?.() ?? []));
  }

  *forward(): Phases<Tensor> {
    if (this.#parts.length === 1) return yield* this.#parts[0].forward();
    const { host } = this.#runtime;
    const { batch, rows } = yield* this.#tt.distinctRows();
    const [{ outputs }, dim] = [this.#lookup, this.#laid.sliceSize];
    const out = this.#runtime.rawScratch([outputs, dim]);
    const laid = this.#rows instanceof WasmInt8Batch ? yield* this.#rows.gather() : undefined;
    const words = [this.#overlay(batch, rows, laid), batch.offsets, batch.coefficients, out.byteOffset];
    const nanoseconds = batch.positions * timeOf(dim, 4 * dim);
    const perOutput = nanoseconds / Math.max(1, outputs);
    const record = writeRecord(host, this.#reserve, words);
    yield { tasks: [taskOf(bagKernels(host).poolOverlaid, record, outputs, perOutput)], nanoseconds };
    return out;
  }

  *backward(gradient: Tensor): Phases<SliceGradients> {
    const [tt, rows] = yield* sideBySide([this.#tt.backward(gradient), this.#rows.backward(gradient)]);
    const weights = yield* this.#weightGradients(gradient);
    const sumOfSquares = tt.sumOfSquares + rows.sumOfSquares;
    return { parts: [...tt.parts, ...rows.parts], sumOfSquares, ...(weights && { weights }) };
  }

  *prepare(gradient: Tensor): Phases<PhasedStep> {
    const steps = yield* sideBySide(this.#parts.map((part) => part.prepare(gradient)));
    const applyPhases = (rule: UpdateRule, laidRule = rule): Phases<void> => {
      for (const each of [rule, laidRule]) validateUpdateRule(each);
      // All are asked before the first begins, lest one refuses when another has written.
      return allOf(steps.map((step, i) => step.applyPhases(this.#parts[i] === this.#rows ? laidRule : rule)));
    };
    const finite = steps.every((step) => step.finite);
    return { finite, applyPhases, apply: async (rule, laidRule) => runPhases(this.#runtime.host, applyPhases(rule, laidRule)) };
  }

  step(gradient: Tensor, rule: UpdateRule): Phases<void> {
    return allOf(this.#parts.map((part) => part.step(gradient, rule)));
  }

  *#weightGradients(gradient: Tensor): Phases<Tensor | undefined> {
    const { weightFactors } = this.#lookup;
    if (weightFactors === undefined) return undefined;
    const { host } = this.#runtime;
    const weights = this.#runtime.rawScratch([weightFactors.length]);
    const { batch, rows } = yield* this.#tt.distinctRows();
    const factors = copyFloats(host, this.#reserve, weightFactors);
    const laid = this.#rows instanceof WasmInt8Batch ? yield* this.#rows.gather() : undefined;
    const words = [this.#overlay(batch, rows, laid), batch.outputOf, gradient.byteOffset, factors, weights.byteOffset];
    const time = timeOf(2 * this.#laid.sliceSize);
    const record = writeRecord(host, this.#reserve, words);
    const task = taskOf(bagKernels(host).overlaidWeightGradients, record, weightFactors.length, time);
    yield { tasks: [task], nanoseconds: time * weightFactors.length };
    return weights;
  }

  /** The record that tells where the row of each position lies; `gathered` are the rows laid over the table where they are no floats. */
  #overlay({ rowOf }: PlannedBatch, rows: number, gathered: GatheredRows | undefined): number {
    const { host } = this.#runtime;
    const slots = gathered?.places ?? copyWords(host, this.#reserve, this.#slots);
    const laid = gathered?.rows ?? (this.#laid as Parameter).weights.byteOffset;
    return writeRecord(host, this.#reserve, [rowOf, rows, slots, laid, this.#laid.sliceSize]);
  }

  readonly #reserve = (byteLength: number): number => this.#runtime.reserve(byteLength);
}

function* allOf(works: readonly Phases<void>[]): Phases<void> {
  yield* sideBySide(works);
}
