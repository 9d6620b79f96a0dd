import {
  type BatchSource,
  type BinaryMetrics,
  BinaryMetricsCollector,
  Dlrm,
  type DlrmConfig,
  type EvaluationPlan,
  type TrainingConfig,
  train,
} from "@tt-rec/dlrm";
import { createRng, isTtError, type Runtime } from "@tt-rec/tensor";

/** What came out of a training. */
export interface Outcome {
  /** Steps before the best evaluation. */
  readonly step: number;
  /** Its metrics; undefined if training diverged before the first. */
  readonly validation: BinaryMetrics | undefined;
  /** Metrics and logits of that model on the test rows, if they were asked for. */
  readonly test?: { readonly metrics: BinaryMetrics; readonly logits: Float32Array };
  /** Bytes of tables and MLPs when they score, and in training. */
  readonly bytes: Readonly<Record<"scoring" | "training", { readonly tables: number; readonly mlps: number }>>;
}

/**
 * Trains a model and measures the one of its best evaluation. A training that diverges ends there; what was best before
 * counts. `withTest` scores the test rows too, whenever an evaluation is the best so far: no copy of the model is kept.
 */
export async function trainOnce(
  runtime: Runtime,
  source: BatchSource,
  config: DlrmConfig,
  training: TrainingConfig,
  plan: EvaluationPlan,
  withTest: boolean,
): Promise<Outcome> {
  const model = new Dlrm(runtime, config, createRng(training.seed));
  try {
    const mlps = model.mlpBytes;
    let best: Omit<Outcome, "bytes"> = { step: 0, validation: undefined };
    try {
      for await (const event of train(model, source, training, plan)) {
        if (event.kind !== "evaluation" || !event.isBest) continue;
        const test = withTest && { test: await scoreTest(model, source) };
        best = { step: event.progress.step, validation: event.metrics, ...test };
      }
    } catch (error) {
      if (!(isTtError(error) && error.code === "E_NONFINITE")) throw error;
    }
    const bytes = {
      scoring: { tables: model.embeddingParameterBytes, mlps },
      training: { tables: model.embeddingBytes, mlps: model.mlpBytes },
    };
    return { ...best, bytes };
  } finally {
    model.dispose();
  }
}

async function scoreTest(model: Dlrm, source: BatchSource): Promise<NonNullable<Outcome["test"]>> {
  const collector = new BinaryMetricsCollector();
  const logits = new Float32Array(source.rows("test"));
  let at = 0;
  for await (const batch of source.batches({ split: "test", batchSize: 4096 })) {
    const own = await model.score(batch);
    collector.add(batch.labels, own);
    logits.set(own, at);
    at += batch.size;
  }
  return { metrics: collector.result(), logits };
}
