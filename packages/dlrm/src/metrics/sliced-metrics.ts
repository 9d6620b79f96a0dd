import { TtError } from "@tt-rec/tensor";
import { type BinaryMetrics, BinaryMetricsCollector } from "./binary-metrics.ts";

/** Metrics of the samples that share a value. */
export interface MetricsSlice {
  /** The value; undefined for all the values that have no slice of their own. */
  readonly value: number | undefined;
  /** Metrics of its samples. */
  readonly metrics: BinaryMetrics;
}

/**
 * Metrics of the samples by a key: a slice for each of the `limit` most frequent values, by falling frequency, and one for all
 * others, if there are any. Throws `E_SHAPE` unless there is one key and one logit a label.
 */
export function slicedMetrics(keys: Uint32Array, labels: Float32Array, logits: Float32Array, limit: number): MetricsSlice[] {
  if (keys.length !== labels.length) throw new TtError("E_SHAPE", `${keys.length} keys for ${labels.length} labels`);
  if (logits.length !== labels.length) throw new TtError("E_SHAPE", `${logits.length} logits for ${labels.length} labels`);
  const counts = new Map<number, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  // Of equally frequent values the smaller one first, so that the choice does not depend on the order of the samples.
  const values = [...counts].sort(([a, m], [b, n]) => n - m || a - b).map(([value]) => value);
  const slices = new Map(values.slice(0, limit).map((value) => [value, new BinaryMetricsCollector()]));
  const others = new BinaryMetricsCollector();
  for (const [i, key] of keys.entries()) (slices.get(key) ?? others).add(labels.subarray(i, i + 1), logits.subarray(i, i + 1));
  const own = [...slices].map(([value, collector]): MetricsSlice => ({ value, metrics: collector.result() }));
  return values.length > limit ? [...own, { value: undefined, metrics: others.result() }] : own;
}
