export type { Batch, BatchRequest, BatchSource, Split } from "./batch.ts";
export { type LoadedCheckpoint, loadCheckpoint, saveCheckpoint } from "./checkpoint/checkpoint.ts";
export { CHECKPOINT_NAME, type CheckpointManifest, readManifest } from "./checkpoint/manifest.ts";
export { Dlrm, type DlrmOptions, type TrainStepOptions } from "./dlrm.ts";
export {
  type ConcatInteractionConfig,
  type CrossInteractionConfig,
  type DlrmConfig,
  type DotInteractionConfig,
  type InteractionConfig,
  type MlpInitializer,
  validateDlrmConfig,
} from "./dlrm-config.ts";
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
export { evaluate } from "./evaluate.ts";
export { areaUnderCurve } from "./metrics/auc.ts";
export { type BinaryMetrics, BinaryMetricsCollector } from "./metrics/binary-metrics.ts";
export { type OptimizerConfig, type OptimizerKind, validateOptimizer } from "./optimizer.ts";
export { type RareIdOptions, replaceRareIds } from "./replace-rare-ids.ts";
export { learningRateAt, type ScheduleConfig } from "./schedule.ts";
export {
  type EvaluationEvent,
  type EvaluationPlan,
  type RefreshEvent,
  type StepEvent,
  type TrainEvent,
  type TrainingConfig,
  type TrainingProgress,
  train,
} from "./train.ts";
