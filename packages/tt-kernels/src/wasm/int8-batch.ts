import { type Runtime, type Tensor, type UpdateRule, validateUpdateRule } from "@tt-rec/tensor";
import type { BagBatch } from "../batch.ts";
import type { PhasedStep, SliceGradient, SliceGradients } from "../embedding-bag.ts";
import type { Int8Rows } from "../int8-rows.ts";
import type { Lookup } from "../lookup/lookup.ts";
import { type Phases, runPhases } from "../phases.ts";
import { reserveIn } from "./apply.ts";
import { copyFloats, copyWords, type Reserve, writeRecord } from "./batch-arrays.ts";
import { bagKernels } from "./kernels.ts";
import { RowGradients } from "./row-gradients.ts";
import { sumsOfSquares } from "./squares.ts";
import { taskOf, timeOf } from "./tasks.ts";
import { poolOutputs } from "./tt-forward.ts";
import { updateBy } from "./update-record.ts";

/** Rows as floats: offsets in the heap. */
export interface GatheredRows {
  /** Rows by position [positions, D]; those of positions without a slot are not written. */
  readonly rows: number;
  /** The row of each position, which has its number, or `NO_ROW` [positions]. */
  readonly places: number;
}

/** A batch of rows that are held as bytes, on the wasm kernels: pooled as floats, by the kernels that pool floats. */
export class WasmInt8Batch implements BagBatch {
  readonly #runtime: Runtime;
  readonly #table: Int8Rows;
  readonly #lookup: Lookup;
  readonly #gradients: RowGradients;

  /** The rows of a lookup are slots, `NO_ROW` where a position does not count. */
  constructor(runtime: Runtime, table: Int8Rows, lookup: Lookup) {
    this.#runtime = runtime;
    this.#table = table;
    this.#lookup = lookup;
    this.#gradients = new RowGradients(runtime, table, lookup);
  }

  get uniqueRows(): number {
    return this.#gradients.uniqueRows;
  }

  /** Makes floats of the rows of all positions. */
  *gather(): Phases<GatheredRows> {
    const { host } = this.#runtime;
    const { rows: slots } = this.#lookup;
    const dim = this.#table.sliceSize;
    const [rows, places] = [this.#reserve(4 * dim * slots.length), this.#reserve(4 * slots.length)];
    const words = [recordOf(this.#runtime, this.#reserve, this.#table), copyWords(host, this.#reserve, slots), rows, places];
    const time = timeOf(dim, 5 * dim);
    const task = taskOf(bagKernels(host).dequantizeRows, writeRecord(host, this.#reserve, words), slots.length, time);
    yield { tasks: [task], nanoseconds: time * slots.length };
    return { rows, places };
  }

  /** Where all positions count. */
  *forward(): Phases<Tensor> {
    const { host } = this.#runtime;
    const { outputs, offsets, coefficients, rows: slots } = this.#lookup;
    const { rows, places } = yield* this.gather();
    const out = this.#runtime.rawScratch([outputs, this.#table.sliceSize]);
    const batch = {
      positions: slots.length,
      offsets: offsets === undefined ? 0 : copyWords(host, this.#reserve, offsets),
      coefficients: coefficients === undefined ? 0 : copyFloats(host, this.#reserve, coefficients),
    };
    yield* poolOutputs(host, this.#reserve, bagKernels(host), batch, places, rows, out);
    return out;
  }

  /** Gradients of the rows; those of weights need the rows below too. */
  *backward(gradient: Tensor): Phases<SliceGradients> {
    const { host } = this.#runtime;
    const part = yield* this.#gradients.of(gradient);
    const range = { offset: part.values.byteOffset, count: part.values.size };
    const [sumOfSquares] = yield* sumsOfSquares(host, this.#reserve, bagKernels(host), [range]);
    return { parts: [part], sumOfSquares };
  }

  *prepare(gradient: Tensor): Phases<PhasedStep> {
    const { parts, sumOfSquares } = yield* this.backward(gradient);
    const applyPhases = (rule: UpdateRule): Phases<void> => {
      validateUpdateRule(rule);
      return updateInt8(this.#runtime, this.#table, parts[0], rule);
    };
    const apply = async (rule: UpdateRule): Promise<void> => runPhases(this.#runtime.host, applyPhases(rule));
    return { finite: Number.isFinite(sumOfSquares), applyPhases, apply };
  }

  *step(gradient: Tensor, rule: UpdateRule): Phases<void> {
    yield* updateInt8(this.#runtime, this.#table, yield* this.#gradients.of(gradient), rule);
  }

  readonly #reserve = (byteLength: number): number => this.#runtime.reserve(byteLength);
}

/** Updates rows from their stacked gradients, and rounds them anew. */
export function* updateInt8(
  runtime: Runtime,
  table: Int8Rows,
  { slices, values }: Pick<SliceGradient, "slices" | "values">,
  rule: UpdateRule,
): Phases<void> {
  const { host } = runtime;
  // The accumulators may be made here, which may move the heap; so it comes first.
  const state = table.stateFor(rule);
  const reserve = reserveIn(host.enter());
  try {
    const [count, dim] = [slices.length, table.sliceSize];
    const size = table.shape[0] * dim;
    const finish = writeRecord(host, reserve, updateBy(rule, { byteOffset: 0, size }, state));
    const stack = writeRecord(host, reserve, [copyWords(host, reserve, slices), values.byteOffset, dim, finish]);
    const keys = copyWords(host, reserve, table.keysOf(slices));
    const words = [recordOf(runtime, reserve, table), stack, keys, reserve(8 * count * dim)];
    const time = timeOf(20 * dim, 12 * dim);
    const task = taskOf(bagKernels(host).updateInt8Rows, writeRecord(host, reserve, words), count, time);
    yield { tasks: [task], nanoseconds: time * count };
  } finally {
    host.leave();
  }
}

/** The record that tells where rows and scales lie. */
function recordOf({ host }: Runtime, reserve: Reserve, table: Int8Rows): number {
  return writeRecord(host, reserve, [...table.offsets, table.sliceSize]);
}
