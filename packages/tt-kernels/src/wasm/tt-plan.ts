import type { KernelHost } from "@tt-rec/tensor";
import type { TTShape } from "@tt-rec/tt-math";
import type { Lookup } from "../lookup/lookup.ts";
import type { Phases } from "../phases.ts";
import { type BatchArrays, COUNTER_BYTES, copyLookup, type Reserve, writeRecord } from "./batch-arrays.ts";
import type { BagKernels } from "./kernels.ts";
import { taskOf } from "./tasks.ts";

/** Words of the record `Level`. */
const LEVEL_WORDS = 9;

/** Rough time that the plan takes for a position. */
const NANOSECONDS = 20;

/** An inner level of the plan: offsets of its record and arrays. */
interface PlannedLevel {
  /** Record for the kernels. */
  readonly record: number;
  /** Nodes. */
  readonly count: number;
  /** Distinct digits. */
  readonly buckets: number;
  /** The digits [buckets]. */
  readonly bucketDigits: number;
}

/** A planned batch: offsets on the heap, valid until the end of the step. */
export interface PlannedBatch extends BatchArrays {
  /** Number of positions. */
  readonly positions: number;
  /** Positions by row. */
  readonly order: number;
  /** Row of each position. */
  readonly rowOf: number;
  /** Where the positions of each row start. */
  readonly rowStarts: number;
  /** Last digit of each row. */
  readonly rowDigits: number;
  /** The distinct last digits. */
  readonly segmentDigits: number;
  /** Place of each row's last digit among them. */
  readonly rowSegments: number;
  /** Distinct rows. */
  readonly uniqueRows: number;
  /** Distinct last digits. */
  readonly segments: number;
  /** Levels 0 … d − 2. */
  readonly levels: readonly PlannedLevel[];
}

/** Whether the kernels can plan for a shape: their sort keys have 32 bits. */
export function canPlan({ rowShape }: TTShape): boolean {
  return rowShape.reduce((a, b) => a * b, 1) <= 2 ** 32;
}

/** Plans a batch in scratch memory. */
export function* planBatch(
  host: KernelHost,
  reserve: Reserve,
  kernels: BagKernels,
  { rowShape }: TTShape,
  lookup: Lookup,
): Phases<PlannedBatch> {
  const arrays = copyLookup(host, reserve, lookup);
  const n = arrays.lookups;
  const depth = rowShape.length;
  const last = rowShape[depth - 1];
  const levels = reserve(4 * LEVEL_WORDS * (depth - 1));
  const below = writeLevels(host, reserve, rowShape, n, levels);
  const pairs = reserve(8 * n);
  const spare = reserve(Math.max(8 * n, 4 * last));
  const counters = reserve(COUNTER_BYTES);
  const order = reserve(4 * n);
  const rowOf = reserve(4 * lookup.rows.length);
  const rowStarts = reserve(4 * (n + 1));
  const rowDigits = reserve(4 * n);
  // One may be written beyond its end.
  const segmentDigits = reserve(4 * Math.min(last, n) + 4);
  const rowSegments = reserve(4 * n);
  const rows = below * last;
  const record = writeRecord(host, reserve, [
    arrays.rows,
    n,
    depth,
    levels,
    last,
    rows < 2 ** 32 ? rows : 0,
    pairs,
    spare,
    counters,
    order,
    rowOf,
    rowStarts,
    rowDigits,
    segmentDigits,
    rowSegments,
    0,
    0,
    arrays.selected,
  ]);
  const tasks = [taskOf(kernels.planTT, record, 1, NANOSECONDS * n)];
  if (arrays.expands) {
    const expand = writeRecord(host, reserve, [arrays.offsets, arrays.outputOf]);
    tasks.push(taskOf(kernels.expandOffsets, expand, lookup.outputs, (2 * lookup.rows.length) / Math.max(1, lookup.outputs)));
  }
  yield { tasks, nanoseconds: NANOSECONDS * n };
  const { words } = host;
  // Written out: spreading objects into one takes longer than all the rest of this function.
  return {
    rows: arrays.rows,
    selected: arrays.selected,
    lookups: n,
    offsets: arrays.offsets,
    outputOf: arrays.outputOf,
    expands: arrays.expands,
    coefficients: arrays.coefficients,
    positions: lookup.rows.length,
    order,
    rowOf,
    rowStarts,
    rowDigits,
    segmentDigits,
    rowSegments,
    uniqueRows: words[record / 4 + 15],
    segments: words[record / 4 + 16],
    levels: plannedLevels(words, levels, depth),
  };
}

/** Writes the records of the inner levels, with room for what the kernel finds. Returns p_0 · … · p_(d−2). */
function writeLevels(host: KernelHost, reserve: Reserve, rowShape: readonly number[], n: number, levels: number): number {
  const inner = rowShape.length - 1;
  let below = 1;
  for (let k = 0; k < inner; k++) {
    const nodes = Math.min(n, below * rowShape[k]);
    const buckets = Math.min(rowShape[k], nodes);
    const parents = k > 0 ? reserve(4 * nodes) : 0;
    const bucketDigits = reserve(4 * buckets);
    const bucketStarts = reserve(4 * (buckets + 1));
    const childStarts = k > 0 || inner === 1 ? reserve(4 * (nodes + 1)) : 0;
    const children = k > 0 && k < inner - 1 ? reserve(4 * Math.min(n, below * rowShape[k] * rowShape[k + 1])) : 0;
    const { words } = host;
    const level = [rowShape[k], below, 0, 0, parents, bucketDigits, bucketStarts, childStarts, children];
    for (let i = 0; i < LEVEL_WORDS; i++) words[levels / 4 + k * LEVEL_WORDS + i] = level[i];
    below *= rowShape[k];
  }
  return below;
}

function plannedLevels(words: Uint32Array, levels: number, depth: number): PlannedLevel[] {
  const planned: PlannedLevel[] = [];
  for (let k = 0; k < depth - 1; k++) {
    const at = levels / 4 + k * LEVEL_WORDS;
    planned.push({ record: 4 * at, count: words[at + 2], buckets: words[at + 3], bucketDigits: words[at + 5] });
  }
  return planned;
}
