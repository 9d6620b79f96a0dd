import { TtError } from "@tt-rec/tensor";
import type { Bags } from "@tt-rec/tt-kernels";
import type { BatchSource, Split } from "./batch.ts";
import type { Dlrm } from "./dlrm.ts";
import { type BinaryMetrics, BinaryMetricsCollector } from "./metrics/binary-metrics.ts";
import { type MetricsSlice, slicedMetrics } from "./metrics/sliced-metrics.ts";

/** Options of `evaluate`. */
export interface EvaluationOptions {
  /** Samples scored at a time; no number of them changes a result. Default 4096. */
  readonly batchSize?: number;
  /** Takes the AUC from a histogram of so many bins; default the exact one, at 8 bytes a sample. */
  readonly aucBins?: number;
}

/** Scores a split, in its own order, and measures the predictions. The model does not change, nor do its caches. */
export async function evaluate(
  model: Dlrm,
  source: BatchSource,
  split: Split,
  { batchSize = 4096, ...options }: EvaluationOptions = {},
): Promise<BinaryMetrics> {
  const collector = new BinaryMetricsCollector(options);
  for await (const batch of source.batches({ split, batchSize })) collector.add(batch.labels, await model.score(batch));
  return collector.result();
}

/**
 * Measures the predictions of a split by the ids of a table: the slice of a sample is its first id there, and an empty bag is
 * taken as the out-of-vocabulary id 0. The `limit` most frequent ids have slices of their own. 12 bytes a sample are held.
 * Throws `E_INDEX` if the model has no such table.
 */
export async function evaluateSlices(
  model: Dlrm,
  source: BatchSource,
  split: Split,
  table: number,
  limit: number,
): Promise<MetricsSlice[]> {
  const { tables } = model.config;
  if (tables[table] === undefined) throw new TtError("E_INDEX", `table ${table} was asked for, the model has ${tables.length}`);
  const rows = source.rows(split);
  const [keys, labels, logits] = [new Uint32Array(rows), new Float32Array(rows), new Float32Array(rows)];
  let at = 0;
  for await (const batch of source.batches({ split, batchSize: 4096 })) {
    labels.set(batch.labels, at);
    logits.set(await model.score(batch), at);
    takeFirstIds(batch.bags[table], keys.subarray(at, at + batch.size));
    at += batch.size;
  }
  return slicedMetrics(keys.subarray(0, at), labels.subarray(0, at), logits.subarray(0, at), limit);
}

function takeFirstIds({ indices, offsets }: Bags, into: Uint32Array): void {
  for (let i = 0; i < into.length; i++) {
    if (offsets === undefined) into[i] = indices[i];
    else into[i] = offsets[i] < offsets[i + 1] ? indices[offsets[i]] : 0;
  }
}
