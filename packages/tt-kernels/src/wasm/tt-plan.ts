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
  const n = lookup.rows.length;
  const arrays = copyLookup(host, reserve, lookup);
  const depth = rowShape.length;
  const last = rowShape[depth - 1];
  const levels = reserve(4 * LEVEL_WORDS * (depth - 1));
  let below = 1;
  const nodes = rowShape.map((extent) => {
    below *= extent;
    return Math.min(n, below);
  });
  below = 1;
  for (let k = 0; k < depth - 1; k++) {
    const buckets = Math.min(rowShape[k], nodes[k]);
    const words = [
      rowShape[k],
      below,
      0,
      0,
      k > 0 ? reserve(4 * nodes[k]) : 0,
      reserve(4 * buckets),
      reserve(4 * (buckets + 1)),
      k > 0 || depth === 2 ? reserve(4 * (nodes[k] + 1)) : 0,
      k > 0 && k < depth - 2 ? reserve(4 * nodes[k + 1]) : 0,
    ];
    host.words.set(words, levels / 4 + k * LEVEL_WORDS);
    below *= rowShape[k];
  }
  const segments = Math.min(last, n);
  const pairs = reserve(8 * n);
  const spare = reserve(Math.max(8 * n, 4 * last));
  const counters = reserve(COUNTER_BYTES);
  const [order, rowOf, rowStarts, rowDigits, segmentDigits, rowSegments] = [
    ...[n, n, n + 1, n, segments, n].map((count) => reserve(4 * count)),
  ];
  const record = writeRecord(host, reserve, [
    ...[arrays.rows, n, depth, levels, last, (below * last) % 2 ** 32, pairs, spare, counters, order, rowOf, rowStarts],
    ...[rowDigits, segmentDigits, rowSegments, 0, 0],
  ]);
  const tasks = [taskOf(kernels.planTT, record, 1, NANOSECONDS * n)];
  if (arrays.offsets !== 0) {
    const expand = writeRecord(host, reserve, [arrays.offsets, arrays.outputOf]);
    tasks.push(taskOf(kernels.expandOffsets, expand, lookup.outputs, (2 * n) / Math.max(1, lookup.outputs)));
  }
  yield { tasks, nanoseconds: NANOSECONDS * n };
  const { words } = host;
  return {
    ...arrays,
    ...{ positions: n, order, rowOf, rowStarts, rowDigits, segmentDigits, rowSegments },
    uniqueRows: words[record / 4 + 15],
    segments: words[record / 4 + 16],
    levels: rowShape.slice(0, -1).map((_, k) => {
      const at = levels / 4 + k * LEVEL_WORDS;
      return { record: 4 * at, count: words[at + 2], buckets: words[at + 3], bucketDigits: words[at + 5] };
    }),
  };
}
