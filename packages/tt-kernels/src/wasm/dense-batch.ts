import type { KernelHost, Lifetime, Parameter, Runtime, Tensor, UpdateRule } from "@tt-rec/tensor";
import type { DenseBatch } from "../dense-engine.ts";
import type { SliceGradients } from "../embedding-bag.ts";
import type { Lookup } from "../lookup/lookup.ts";
import { groupRows } from "../reference/row-groups.ts";
import { bundleGradients } from "../slice-gradients.ts";
import { applyToTable, reserveIn } from "./apply.ts";
import { type BatchArrays, copyFloats, copyLookup, copyWords, type Reserve, writeRecord } from "./batch-arrays.ts";
import { bagKernels } from "./kernels.ts";
import { type Phases, runPhases } from "./phases.ts";
import { taskOf, timeOf } from "./tasks.ts";
import { poolOutputs } from "./tt-forward.ts";
import { updateBy } from "./update-record.ts";

/** Bytes of counters for a radix sort, as the kernel declares them. */
const COUNTER_BYTES = 3 * 4 * 2 ** 12;

/** A batch sorted by row: offsets in a memory. */
interface SortedBatch extends BatchArrays {
  readonly positions: number;
  readonly order: number;
  readonly rowStarts: number;
  /** Distinct rows [uniqueRows]. */
  readonly unique: number;
  readonly uniqueRows: number;
}

/** A batch of an uncompressed table on the wasm kernels. A table with a memory of its own is read and written there. */
export class WasmDenseBatch implements DenseBatch {
  readonly #runtime: Runtime;
  readonly #table: Parameter;
  readonly #host: KernelHost;
  readonly #lookup: Lookup;
  #sorted: { readonly batch: SortedBatch; readonly life: Readonly<Lifetime> } | undefined;
  #uniqueRows: number | undefined;

  constructor(runtime: Runtime, table: Parameter, host: KernelHost, lookup: Lookup) {
    this.#runtime = runtime;
    this.#table = table;
    this.#host = host;
    this.#lookup = lookup;
  }

  get uniqueRows(): number {
    this.#uniqueRows ??= groupRows(this.#lookup.rows).uniqueRows.length;
    return this.#uniqueRows;
  }

  async forward(): Promise<Tensor> {
    const host = this.#host;
    const out = this.#runtime.rawScratch([this.#lookup.outputs, this.#table.sliceSize]);
    await host.call(async (workspace) => {
      const reserve = reserveIn(workspace);
      const { rows, offsets, coefficients } = this.#lookup;
      const batch = {
        positions: rows.length,
        offsets: offsets === undefined ? 0 : copyWords(host, reserve, offsets),
        coefficients: coefficients === undefined ? 0 : copyFloats(host, reserve, coefficients),
      };
      const ids = copyWords(host, reserve, rows);
      const target = this.#isElsewhere ? reserve(4 * out.size) : out.byteOffset;
      const weights = this.#table.weights.byteOffset;
      await runPhases(
        host,
        poolOutputs(host, reserve, bagKernels(host), batch, ids, weights, { shape: out.shape, byteOffset: target }),
      );
      if (this.#isElsewhere) out.data.set(host.floats.subarray(target / 4, target / 4 + out.size));
    });
    return out;
  }

  async backward(gradient: Tensor): Promise<SliceGradients> {
    const { host } = this.#runtime;
    const batch = await this.#sort();
    const dim = this.#table.sliceSize;
    const values = this.#runtime.rawScratch([batch.uniqueRows, dim]);
    const reserve = this.#reserve;
    const gather = writeRecord(host, reserve, gatherWords(batch, dim, gradient.byteOffset, values.byteOffset));
    const nanoseconds = batch.positions * timeOf(dim, 8 * dim);
    const perRow = nanoseconds / Math.max(1, batch.uniqueRows);
    await host.run([taskOf(bagKernels(host).gatherGradients, gather, batch.uniqueRows, perRow)], nanoseconds);
    const slices = host.words.slice(batch.unique / 4, batch.unique / 4 + batch.uniqueRows);
    const weights = await this.#weightGradients(gradient);
    return bundleGradients(this.#runtime, [{ parameter: this.#table.name, slices, values }], weights);
  }

  async step(gradient: Tensor, rule: UpdateRule): Promise<void> {
    const host = this.#host;
    const state = this.#table.stateFor(rule);
    if (state !== undefined && this.#runtime.hostOf(state) !== host) {
      const [part] = (await this.backward(gradient)).parts;
      await applyToTable(this.#runtime, { parameter: this.#table, host }, part, rule);
      return;
    }
    await host.call(async (workspace) => {
      const reserve = reserveIn(workspace);
      const batch = this.#isElsewhere
        ? await runPhases(host, sortBatch(host, reserve, this.#table, this.#lookup))
        : await this.#sort();
      const dim = this.#table.sliceSize;
      const source = this.#isElsewhere ? copyFloats(host, reserve, gradient.data) : gradient.byteOffset;
      const values = reserve(4 * batch.uniqueRows * dim);
      const gather = writeRecord(host, reserve, gatherWords(batch, dim, source, values));
      const finish = writeRecord(host, reserve, updateBy(rule, this.#table.weights, state));
      const record = writeRecord(host, reserve, [gather, batch.unique, finish]);
      const nanoseconds = batch.positions * timeOf(dim, 8 * dim) + batch.uniqueRows * timeOf(dim, 64 * dim);
      const perRow = nanoseconds / Math.max(1, batch.uniqueRows);
      await host.run([taskOf(bagKernels(host).stepRows, record, batch.uniqueRows, perRow)], nanoseconds);
    });
  }

  get #isElsewhere(): boolean {
    return this.#host !== this.#runtime.host;
  }

  /** The batch sorted on the heap, once a step. */
  async #sort(): Promise<SortedBatch> {
    if (this.#sorted?.life.alive === true) return this.#sorted.batch;
    const { host, scratchLife } = this.#runtime;
    const batch = await runPhases(host, sortBatch(host, this.#reserve, this.#table, this.#lookup));
    this.#sorted = { batch, life: scratchLife };
    this.#uniqueRows = batch.uniqueRows;
    return batch;
  }

  async #weightGradients(gradient: Tensor): Promise<Tensor | undefined> {
    const { weightFactors } = this.#lookup;
    if (weightFactors === undefined) return undefined;
    const host = this.#host;
    const result = this.#runtime.rawScratch([weightFactors.length]);
    await host.call(async (workspace) => {
      const reserve = reserveIn(workspace);
      const kernels = bagKernels(host);
      const batch = copyLookup(host, reserve, this.#lookup);
      const source = this.#isElsewhere ? copyFloats(host, reserve, gradient.data) : gradient.byteOffset;
      const factors = copyFloats(host, reserve, weightFactors);
      const target = this.#isElsewhere ? reserve(4 * result.size) : result.byteOffset;
      const { sliceSize, weights } = this.#table;
      const record = [batch.rows, batch.outputOf, sliceSize, weights.byteOffset, source, factors, target];
      const nanoseconds = 2 * sliceSize * weightFactors.length;
      if (batch.offsets !== 0) {
        const expand = writeRecord(host, reserve, [batch.offsets, batch.outputOf]);
        await host.run([taskOf(kernels.expandOffsets, expand, this.#lookup.outputs, 100)], 0);
      }
      const task = taskOf(kernels.weightGradients, writeRecord(host, reserve, record), weightFactors.length, 2 * sliceSize);
      await host.run([task], nanoseconds);
      if (this.#isElsewhere) result.data.set(host.floats.subarray(target / 4, target / 4 + result.size));
    });
    return result;
  }

  readonly #reserve = (byteLength: number): number => this.#runtime.reserve(byteLength);
}

/** Words of the record `Gather`. */
function gatherWords(batch: SortedBatch, dim: number, outputs: number, rowGradients: number): number[] {
  return [batch.order, batch.rowStarts, batch.outputOf, batch.coefficients, dim, outputs, rowGradients];
}

/** Sorts a batch by row in some memory. */
function* sortBatch(host: KernelHost, reserve: Reserve, table: Parameter, lookup: Lookup): Phases<SortedBatch> {
  const n = lookup.rows.length;
  const kernels = bagKernels(host);
  const arrays = copyLookup(host, reserve, lookup);
  const [pairs, spare, counters] = [8 * n, 8 * n, COUNTER_BYTES].map(reserve);
  const [order, rowStarts, unique] = [n, n + 1, n].map((count) => reserve(4 * count));
  const record = writeRecord(host, reserve, [
    ...[arrays.rows, n, 0, 0, 0, table.weights.shape[0], pairs, spare, counters, order, 0, rowStarts, unique],
    ...[0, 0, 0, 0, 0],
  ]);
  const tasks = [taskOf(kernels.planDense, record, 1, 15 * n)];
  if (arrays.offsets !== 0) {
    const expand = writeRecord(host, reserve, [arrays.offsets, arrays.outputOf]);
    tasks.push(taskOf(kernels.expandOffsets, expand, lookup.outputs, (2 * n) / Math.max(1, lookup.outputs)));
  }
  yield { tasks, nanoseconds: 15 * n };
  return { ...arrays, positions: n, order, rowStarts, unique, uniqueRows: host.words[record / 4 + 16] };
}
