export type { Batch, BatchRequest, BatchSource, Shuffle, Split } from "./batch.ts";
export {
  type LoadedCheckpoint,
  type LoadOptions,
  loadCheckpoint,
  type SaveOptions,
  saveCheckpoint,
} from "./checkpoint/checkpoint.ts";
export { CHECKPOINT_NAME, type CheckpointManifest, readManifest, type SavedModel } from "./checkpoint/manifest.ts";
export { Dlrm, type DlrmOptions, type TrainStepOptions } from "./dlrm.ts";
export type {
  ConcatInteractionConfig,
  CrossInteractionConfig,
  DlrmConfig,
  DotInteractionConfig,
  InteractionConfig,
  LossKind,
  MlpInitializer,
} from "./dlrm-config.ts";
export { type BestEvaluation, RANKING_METRICS, type RankingMetric, type StoppingRule } from "./early-stopping.ts";
export type { Table, TTTableMaker } from "./embeddings/create-table.ts";
export type {
  CacheConfig,
  DenseEmbeddingConfig,
  EmbeddingConfig,
  HashEmbeddingConfig,
  HotRowsEmbeddingConfig,
  LowRankEmbeddingConfig,
  MixedDimensionEmbeddingConfig,
  QuotientRemainderEmbeddingConfig,
  RemovedEmbeddingConfig,
  TableConfig,
  TablePooling,
  TTEmbeddingConfig,
} from "./embeddings/embedding-config.ts";
export { mixedDimensions } from "./embeddings/mixed-dimensions.ts";
export { type EvaluationOptions, evaluate, evaluateSlices } from "./evaluate.ts";
export { readModel, writeModel } from "./export/model-file.ts";
export { type OpenModelOptions, openModel, type Scorer } from "./export/open-model.ts";
export { areaUnderCurve } from "./metrics/auc.ts";
export { type BinaryMetrics, BinaryMetricsCollector, type BinaryMetricsOptions } from "./metrics/binary-metrics.ts";
export { type AreaDifference, compareAreas } from "./metrics/compare-areas.ts";
export type { MetricsSlice } from "./metrics/sliced-metrics.ts";
export type { OptimizerConfig, OptimizerKind } from "./optimizer.ts";
export { type RareIdOptions, replaceRareIds } from "./replace-rare-ids.ts";
export type { ScheduleConfig } from "./schedule.ts";
export { type StepPart, StepProfile } from "./step-profile.ts";
export { type EvaluationPlan, type TrainingConfig, type TrainingProgress, train } from "./train.ts";
export type { EvaluationEvent, RefreshEvent, StepEvent, StopEvent, TrainEvent } from "./train-events.ts";
