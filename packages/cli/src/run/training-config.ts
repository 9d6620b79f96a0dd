import {
  type BatchSource,
  type EvaluationPlan,
  type OptimizerConfig,
  replaceRareIds,
  type ScheduleConfig,
  type StoppingRule,
  type TrainingConfig,
} from "@tt-rec/dlrm";
import { TtError } from "@tt-rec/tensor";
import type { TrainSettings } from "../options/train-options.ts";

/** The run that settings ask for. Throws E_OPTION if they give it no end. */
export function trainingConfig(settings: TrainSettings): TrainingConfig {
  const { epochs, steps, batchSize, microBatch, shuffle, dropNegatives, seed } = settings;
  if (epochs === 0 && steps === 0) throw new TtError("E_OPTION", "a run needs --epochs or --steps above 0");
  return {
    ...(epochs > 0 && { epochs }),
    ...(steps > 0 && { steps }),
    ...{ batchSize, optimizer: optimizerConfig(settings), shuffle, seed },
    ...(microBatch > 0 && { microBatch }),
    ...(dropNegatives > 0 && { dropNegatives }),
  };
}

/** Most steps of a run over so many training rows; rows that an epoch leaves out are counted. */
export function totalSteps({ epochs, steps, batchSize }: TrainSettings, rows: number): number {
  const byEpochs = epochs > 0 ? Math.ceil(rows / batchSize) * epochs : Number.POSITIVE_INFINITY;
  return Math.min(byEpochs, steps > 0 ? steps : Number.POSITIVE_INFINITY);
}

/** The evaluations of a run; none if there are no validation rows: the test rows are for the finished model. */
export function evaluationPlan(settings: TrainSettings, validationRows: number): EvaluationPlan | undefined {
  const { evaluateEvery } = settings;
  const stopping = stoppingRule(settings);
  if (validationRows === 0) {
    if (stopping === undefined) return undefined;
    throw new TtError("E_OPTION", "--best-by needs validation rows, and the data set has none");
  }
  return { split: "validation", ...(evaluateEvery > 0 && { everySteps: evaluateEvery }), ...(stopping && { stopping }) };
}

function stoppingRule({ bestBy, patience, minDelta, stopAt }: TrainSettings): StoppingRule | undefined {
  if (bestBy === "none") {
    if (patience === 0 && stopAt === null) return undefined;
    throw new TtError("E_OPTION", "--patience and --stop-at need --best-by, the metric that they go by");
  }
  return { metric: bestBy, minDelta, ...(patience > 0 && { patience }), ...(stopAt !== null && { threshold: stopAt }) };
}

/** Settings that are unset stay out, and so do those that say nothing. */
function optimizerConfig(settings: TrainSettings): OptimizerConfig {
  const { optimizer: kind, embeddingOptimizer: embeddingKind, learningRate, embeddingLearningRate } = settings;
  const { ttLearningRate, cacheLearningRate, eps, momentum, beta1, beta2, weightDecay, embeddingL2, clipNorm } = settings;
  const schedule = scheduleConfig(settings);
  return {
    ...{ kind, learningRate },
    ...(embeddingKind !== null && { embeddingKind }),
    ...(embeddingLearningRate !== null && { embeddingLearningRate }),
    ...(ttLearningRate !== null && { ttLearningRate }),
    ...(cacheLearningRate !== null && { cacheLearningRate }),
    ...(eps !== null && { eps }),
    ...(momentum > 0 && { momentum }),
    ...(beta1 !== null && { beta1 }),
    ...(beta2 !== null && { beta2 }),
    ...(weightDecay > 0 && { weightDecay }),
    ...(embeddingL2 > 0 && { embeddingL2 }),
    ...(clipNorm !== null && { clipNorm }),
    ...(schedule && { schedule }),
  };
}

function scheduleConfig({ warmupSteps, decayStart, decaySteps }: TrainSettings): ScheduleConfig | undefined {
  if (warmupSteps === 0 && decaySteps === 0) return undefined;
  return { warmupSteps, decaySteps, ...(decayStart !== null && { decayStart }) };
}

/** The batches of a run: those of the data, with some occurrences of rare ids unknown in training if the settings say so. */
export async function trainingSource(
  { unknownShare: share, rareAtMost: atMost, seed }: TrainSettings,
  data: BatchSource,
  accessCounts: () => Promise<readonly ArrayLike<number>[]>,
): Promise<BatchSource> {
  return share === 0 ? data : replaceRareIds(data, { counts: await accessCounts(), share, seed, atMost });
}
