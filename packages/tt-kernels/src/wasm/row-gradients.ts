import type { KernelHost, Lifetime, ParameterLayout, Runtime, Tensor } from "@tt-rec/tensor";
import type { SliceGradient } from "../embedding-bag.ts";
import type { Lookup } from "../lookup/lookup.ts";
import { countDistinct } from "../lookup/row-groups.ts";
import type { Phases } from "../phases.ts";
import { type BatchArrays, COUNTER_BYTES, copyLookup, type Reserve, writeRecord } from "./batch-arrays.ts";
import { bagKernels } from "./kernels.ts";
import { taskOf, timeOf } from "./tasks.ts";

/** A batch sorted by row: offsets in a memory. */
export interface SortedBatch extends BatchArrays {
  readonly order: number;
  readonly rowStarts: number;
  /** Distinct rows [uniqueRows]. */
  readonly unique: number;
  readonly uniqueRows: number;
}

/** Gradients of the distinct rows of a batch, on the heap: they do not need the table's rows. */
export class RowGradients {
  readonly #runtime: Runtime;
  readonly #table: ParameterLayout;
  readonly #lookup: Lookup;
  #sorted: { readonly batch: SortedBatch; readonly life: Readonly<Lifetime> } | undefined;
  #uniqueRows: number | undefined;

  constructor(runtime: Runtime, table: ParameterLayout, lookup: Lookup) {
    this.#runtime = runtime;
    this.#table = table;
    this.#lookup = lookup;
  }

  /** Distinct rows of the batch. */
  get uniqueRows(): number {
    this.#uniqueRows ??= countDistinct(this.#lookup);
    return this.#uniqueRows;
  }

  /** The batch sorted on the heap, once a step. */
  *sort(): Phases<SortedBatch> {
    if (this.#sorted?.life.alive === true) return this.#sorted.batch;
    const { host, scratchLife } = this.#runtime;
    const batch = yield* sortBatch(host, this.#reserve, this.#table, this.#lookup);
    this.#sorted = { batch, life: scratchLife };
    this.#uniqueRows = batch.uniqueRows;
    return batch;
  }

  /** The gradients from that of the outputs. */
  *of(gradient: Tensor): Phases<SliceGradient> {
    const { host } = this.#runtime;
    const batch = yield* this.sort();
    const dim = this.#table.sliceSize;
    const values = this.#runtime.rawScratch([batch.uniqueRows, dim]);
    const gather = writeRecord(host, this.#reserve, gatherWords(batch, dim, gradient.byteOffset, values.byteOffset));
    const nanoseconds = batch.lookups * timeOf(dim, 8 * dim);
    const perRow = nanoseconds / Math.max(1, batch.uniqueRows);
    yield { tasks: [taskOf(bagKernels(host).gatherGradients, gather, batch.uniqueRows, perRow)], nanoseconds };
    const slices = host.words.slice(batch.unique / 4, batch.unique / 4 + batch.uniqueRows);
    return { parameter: this.#table.name, slices, values };
  }

  readonly #reserve = (byteLength: number): number => this.#runtime.reserve(byteLength);
}

/** Words of the record `Gather`. */
export function gatherWords(batch: SortedBatch, dim: number, outputs: number, rowGradients: number): number[] {
  return [batch.order, batch.rowStarts, batch.rows, batch.outputOf, batch.coefficients, dim, outputs, rowGradients];
}

/** Sorts a batch by row in some memory. */
export function* sortBatch(host: KernelHost, reserve: Reserve, table: ParameterLayout, lookup: Lookup): Phases<SortedBatch> {
  const kernels = bagKernels(host);
  const arrays = copyLookup(host, reserve, lookup);
  const n = arrays.lookups;
  const pairs = reserve(8 * n);
  const spare = reserve(8 * n);
  const counters = reserve(COUNTER_BYTES);
  const order = reserve(4 * n);
  const rowStarts = reserve(4 * (n + 1));
  const unique = reserve(4 * (n + 1));
  const extent = table.shape[0];
  const record = writeRecord(host, reserve, [
    arrays.rows,
    n,
    0,
    0,
    0,
    extent,
    pairs,
    spare,
    counters,
    order,
    0,
    rowStarts,
    unique,
    0,
    0,
    0,
    0,
    arrays.selected,
  ]);
  const tasks = [taskOf(kernels.planDense, record, 1, 15 * n)];
  if (arrays.expands) {
    const expand = writeRecord(host, reserve, [arrays.offsets, arrays.outputOf]);
    tasks.push(taskOf(kernels.expandOffsets, expand, lookup.outputs, (2 * lookup.rows.length) / Math.max(1, lookup.outputs)));
  }
  yield { tasks, nanoseconds: 15 * n };
  return {
    rows: arrays.rows,
    selected: arrays.selected,
    lookups: n,
    offsets: arrays.offsets,
    outputOf: arrays.outputOf,
    expands: arrays.expands,
    coefficients: arrays.coefficients,
    order,
    rowStarts,
    unique,
    uniqueRows: host.words[record / 4 + 15],
  };
}
