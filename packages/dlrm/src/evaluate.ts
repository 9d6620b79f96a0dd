import type { BatchSource, Split } from "./batch.ts";
import type { Dlrm } from "./dlrm.ts";
import { type BinaryMetrics, BinaryMetricsCollector } from "./metrics/binary-metrics.ts";

/** Scores a split, in its own order, and measures the predictions. The model does not change, nor do its caches. */
export async function evaluate(model: Dlrm, source: BatchSource, split: Split, batchSize = 4096): Promise<BinaryMetrics> {
  const collector = new BinaryMetricsCollector();
  for await (const batch of source.batches({ split, batchSize })) collector.add(batch.labels, await model.score(batch));
  return collector.result();
}
