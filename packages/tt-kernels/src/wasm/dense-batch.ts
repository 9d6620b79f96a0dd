import { type KernelHost, type Parameter, type Runtime, type Tensor, type UpdateRule, validateUpdateRule } from "@tt-rec/tensor";
import type { BagBatch } from "../batch.ts";
import type { PhasedStep, SliceGradient, SliceGradients } from "../embedding-bag.ts";
import type { Lookup } from "../lookup/lookup.ts";
import { type Phases, runPhases } from "../phases.ts";
import { applyToTable, reserveIn } from "./apply.ts";
import { copyFloats, copyLookup, copyWords, writeRecord } from "./batch-arrays.ts";
import { bagKernels } from "./kernels.ts";
import { gatherWords, RowGradients, sortBatch } from "./row-gradients.ts";
import { sumsOfSquares } from "./squares.ts";
import { taskOf, timeOf } from "./tasks.ts";
import { poolOutputs } from "./tt-forward.ts";
import { updateBy } from "./update-record.ts";

/** A batch of an uncompressed table on the wasm kernels. A table with a memory of its own is read and written there. */
export class WasmDenseBatch implements BagBatch {
  readonly #runtime: Runtime;
  readonly #table: Parameter;
  readonly #host: KernelHost;
  readonly #lookup: Lookup;
  readonly #gradients: RowGradients;

  constructor(runtime: Runtime, table: Parameter, host: KernelHost, lookup: Lookup) {
    this.#runtime = runtime;
    this.#table = table;
    this.#host = host;
    this.#lookup = lookup;
    this.#gradients = new RowGradients(runtime, table, lookup);
  }

  get uniqueRows(): number {
    return this.#gradients.uniqueRows;
  }

  *forward(): Phases<Tensor> {
    const host = this.#host;
    const out = this.#runtime.rawScratch([this.#lookup.outputs, this.#table.sliceSize]);
    const reserve = reserveIn(host.enter());
    try {
      const { rows, offsets, coefficients } = this.#lookup;
      const batch = {
        positions: rows.length,
        offsets: offsets === undefined ? 0 : copyWords(host, reserve, offsets),
        coefficients: coefficients === undefined ? 0 : copyFloats(host, reserve, coefficients),
      };
      const ids = copyWords(host, reserve, rows);
      const target = { shape: out.shape, byteOffset: this.#isElsewhere ? reserve(4 * out.size) : out.byteOffset };
      yield* poolOutputs(host, reserve, bagKernels(host), batch, ids, this.#table.weights.byteOffset, target);
      this.#fetch(target.byteOffset, out);
    } finally {
      host.leave();
    }
    return out;
  }

  *backward(gradient: Tensor): Phases<SliceGradients> {
    const part = yield* this.#gradients.of(gradient);
    const weights = yield* this.#weightGradients(gradient);
    return { parts: [part], sumOfSquares: yield* this.#sumOfSquares(part), ...(weights && { weights }) };
  }

  *prepare(gradient: Tensor): Phases<PhasedStep> {
    const part = yield* this.#gradients.of(gradient);
    const finite = Number.isFinite(yield* this.#sumOfSquares(part));
    const applyPhases = (rule: UpdateRule): Phases<void> => {
      validateUpdateRule(rule);
      return applyToTable(this.#runtime, this.#table, part, rule);
    };
    return { finite, applyPhases, apply: async (rule) => runPhases(this.#host, applyPhases(rule)) };
  }

  *step(gradient: Tensor, rule: UpdateRule): Phases<void> {
    const host = this.#host;
    const state = this.#table.stateFor(rule);
    if (state !== undefined && this.#runtime.hostOf(state) !== host) {
      yield* applyToTable(this.#runtime, this.#table, yield* this.#gradients.of(gradient), rule);
      return;
    }
    const reserve = reserveIn(host.enter());
    try {
      const batch = this.#isElsewhere
        ? yield* sortBatch(host, reserve, this.#table, this.#lookup)
        : yield* this.#gradients.sort();
      const dim = this.#table.sliceSize;
      const source = this.#isElsewhere ? copyFloats(host, reserve, gradient.data) : gradient.byteOffset;
      const values = reserve(4 * batch.uniqueRows * dim);
      const gather = writeRecord(host, reserve, gatherWords(batch, dim, source, values));
      const finish = writeRecord(host, reserve, updateBy(rule, this.#table.weights, state));
      const record = writeRecord(host, reserve, [gather, batch.unique, finish]);
      const nanoseconds = batch.lookups * timeOf(dim, 8 * dim) + batch.uniqueRows * timeOf(dim, 64 * dim);
      const perRow = nanoseconds / Math.max(1, batch.uniqueRows);
      yield { tasks: [taskOf(bagKernels(host).stepRows, record, batch.uniqueRows, perRow)], nanoseconds };
    } finally {
      host.leave();
    }
  }

  get #isElsewhere(): boolean {
    return this.#host !== this.#runtime.host;
  }

  /** Copies a result from the table's memory onto the heap, if it was not written there. */
  #fetch(offset: number, { data, size }: Tensor): void {
    if (this.#isElsewhere) data.set(this.#host.floats.subarray(offset / 4, offset / 4 + size));
  }

  *#sumOfSquares({ values }: SliceGradient): Phases<number> {
    const { host } = this.#runtime;
    const range = { offset: values.byteOffset, count: values.size };
    return (yield* sumsOfSquares(host, this.#reserve, bagKernels(host), [range]))[0];
  }

  *#weightGradients(gradient: Tensor): Phases<Tensor | undefined> {
    const { weightFactors } = this.#lookup;
    if (weightFactors === undefined) return undefined;
    const host = this.#host;
    const result = this.#runtime.rawScratch([weightFactors.length]);
    const reserve = reserveIn(host.enter());
    try {
      const kernels = bagKernels(host);
      const batch = copyLookup(host, reserve, this.#lookup);
      const source = this.#isElsewhere ? copyFloats(host, reserve, gradient.data) : gradient.byteOffset;
      const factors = copyFloats(host, reserve, weightFactors);
      const target = this.#isElsewhere ? reserve(4 * result.size) : result.byteOffset;
      const { sliceSize, weights } = this.#table;
      if (batch.expands) {
        const expand = writeRecord(host, reserve, [batch.offsets, batch.outputOf]);
        yield { tasks: [taskOf(kernels.expandOffsets, expand, this.#lookup.outputs, 100)], nanoseconds: 0 };
      }
      const words = [batch.rows, batch.outputOf, sliceSize, weights.byteOffset, source, factors, target];
      const task = taskOf(kernels.weightGradients, writeRecord(host, reserve, words), weightFactors.length, 2 * sliceSize);
      yield { tasks: [task], nanoseconds: 2 * sliceSize * weightFactors.length };
      this.#fetch(target, result);
    } finally {
      host.leave();
    }
    return result;
  }

  readonly #reserve = (byteLength: number): number => this.#runtime.reserve(byteLength);
}
