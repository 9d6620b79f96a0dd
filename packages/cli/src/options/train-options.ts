import {
  type CacheConfig,
  type LossKind,
  type MlpInitializer,
  type OptimizerKind,
  RANKING_METRICS,
  type RankingMetric,
  type TablePooling,
} from "@tt-rec/dlrm";
import type { RowStorage, ShapeRule } from "@tt-rec/tt-math";
import { type BytesSetting, bytesOption } from "./bytes-option.ts";
import { CACHE_STORAGE } from "./cache-storage-option.ts";
import { EMBEDDINGS, type EmbeddingRule } from "./embedding-rules.ts";
import {
  booleanOption,
  choiceOption,
  integerOption,
  integersOption,
  numberOption,
  type OptionSpec,
  optional,
  weightsOption,
} from "./option-spec.ts";
import { SHAPES } from "./shapes-option.ts";

/** How samples are mixed; true and false are `total` and `none`. */
type ShuffleSetting = boolean | "day";

/** Everything that determines a training run, besides the data set. */
export interface TrainSettings {
  readonly embeddingDim: number;
  readonly bottomMlp: readonly number[];
  readonly topMlp: readonly number[];
  readonly interaction: "dot" | "cat" | "cross";
  readonly interactionItself: boolean;
  readonly crossLayers: number;
  readonly crossRank: number;
  readonly mlpInitializer: MlpInitializer;
  readonly loss: LossKind;
  readonly lossWeights: readonly [number, number];
  readonly embeddings: readonly EmbeddingRule[];
  readonly pooling: TablePooling;
  readonly ttTables: number;
  readonly ttRanks: number;
  readonly ttShapes: ShapeRule;
  readonly ttStandardDeviation: number | null;
  readonly budget: BytesSetting;
  readonly cacheShare: number;
  readonly cacheRows: number;
  readonly cacheBytes: BytesSetting;
  readonly cacheWarmup: number | null;
  readonly cacheRefresh: number | null;
  readonly cachePolicy: NonNullable<CacheConfig["policy"]>;
  readonly cacheStorage: RowStorage;
  readonly optimizer: OptimizerKind;
  readonly embeddingOptimizer: OptimizerKind | null;
  readonly learningRate: number;
  readonly embeddingLearningRate: number | null;
  readonly ttLearningRate: number | null;
  readonly cacheLearningRate: number | null;
  readonly eps: number | null;
  readonly momentum: number;
  readonly beta1: number | null;
  readonly beta2: number | null;
  readonly weightDecay: number;
  readonly embeddingL2: number;
  readonly clipNorm: number | null;
  readonly warmupSteps: number;
  readonly decayStart: number | null;
  readonly decaySteps: number;
  readonly batchSize: number;
  readonly microBatch: number;
  readonly epochs: number;
  readonly steps: number;
  readonly shuffle: ShuffleSetting;
  readonly dropNegatives: number;
  readonly unknownShare: number;
  readonly rareAtMost: number;
  readonly seed: number;
  readonly evaluateEvery: number;
  readonly bestBy: RankingMetric | "none";
  readonly patience: number;
  readonly minDelta: number;
  readonly stopAt: number | null;
  readonly checkpointEvery: number;
  readonly keepCheckpoints: number;
}

const OPTIMIZERS: readonly OptimizerKind[] = ["sgd", "adagrad", "rowWiseAdagrad", "adam"];

const SHUFFLE: OptionSpec<ShuffleSetting> = {
  default: false,
  description: "Whether each epoch reads the training rows in another order; day mixes them within each day only",
  placeholder: "true|day",
  schema: { enum: [true, false, "day"] },
  parse: (name, value) => (value === "day" ? value : booleanOption(false, "").parse(name, value)),
};

/** The settings of `tt-rec train`; the defaults are DLRM's for Criteo Kaggle, uncompressed. */
export const TRAIN_OPTIONS: { readonly [name in keyof TrainSettings]: OptionSpec<TrainSettings[name]> } = {
  embeddingDim: integerOption(16, 1, "Columns D of every embedding table"),
  bottomMlp: integersOption([512, 256, 64, 16], "-", "Output widths of the bottom MLP; the last is the embedding dimension"),
  topMlp: integersOption([512, 256, 1], "-", "Output widths of the top MLP; the last is 1"),
  interaction: choiceOption(
    "dot",
    ["dot", "cat", "cross"],
    "How the vectors of a sample meet: products of all pairs, one behind the other, or DCNv2's low-rank cross layers",
  ),
  interactionItself: booleanOption(false, "For --interaction dot: multiply each vector by itself too"),
  crossLayers: integerOption(3, 1, "For --interaction cross: layers"),
  crossRank: integerOption(512, 1, "For --interaction cross: rank of each layer's matrix"),
  mlpInitializer: choiceOption("dlrm", ["dlrm", "he"], "How the MLPs are drawn: as DLRM does, or He's W ~ N(0, 2 / in), b = 0"),
  loss: choiceOption("bce", ["bce", "mse"], "What training minimises: binary cross-entropy, or the probability's squared error"),
  lossWeights: weightsOption("For --loss bce: factors of the loss of samples labelled 0 and 1"),
  embeddings: EMBEDDINGS,
  pooling: choiceOption("sum", ["sum", "mean", "max"], "How the rows of several ids of a column are joined"),
  ttTables: integerOption(0, 0, "How many of the largest tables to store as TT-cores; 0 trains the uncompressed model"),
  ttRanks: integerOption(32, 1, "TT-rank R of those tables, clipped where a bond allows less"),
  ttShapes: SHAPES,
  ttStandardDeviation: optional(
    numberOption(
      0,
      false,
      "Standard deviation of the rows of a TT table at the start (default: 1/sqrt(3n), as uncompressed rows)",
    ),
  ),
  budget: bytesOption(
    0,
    "Bytes that all tables may take, such as 20MB: chooses TT tables, their ranks and caches as tt-rec plan does; 0 means no budget",
  ),
  cacheShare: numberOption(
    0,
    true,
    "Share of a TT table's rows to keep in a cache of hot rows; 0 means no cache, the paper uses 0.0001",
  ),
  cacheRows: integerOption(0, 0, "Rows of the cache of each TT table, in place of --cache-share; 0 means that none are given"),
  cacheBytes: bytesOption(
    0,
    "Bytes of the cached rows of each TT table and of their map, such as 1MB, in place of --cache-share; 0 means that none are given",
  ),
  cacheWarmup: optional(
    integerOption(0, 1, "Steps after which the cache fills (default: the first, or when its rows are stable)"),
  ),
  cacheRefresh: optional(
    integerOption(0, 1, "Steps between refreshes of the cache (default: as accesses and their change ask for)"),
  ),
  cachePolicy: choiceOption(
    "resident",
    ["resident", "semi-dynamic", "static"],
    "What a refresh loads from the cores: only rows that enter, by aged accesses; all, by accesses since the beginning (the paper); or none, for the rows accessed most in training stay",
  ),
  cacheStorage: CACHE_STORAGE,
  optimizer: choiceOption("sgd", OPTIMIZERS, "Update rule of all parameters; rowWiseAdagrad means Adagrad for the MLPs"),
  embeddingOptimizer: optional(choiceOption("sgd", OPTIMIZERS, "Update rule of the tables (default: --optimizer)")),
  learningRate: numberOption(0.1, true, "Step length of the MLPs, and of all parts that have no other"),
  embeddingLearningRate: optional(
    numberOption(0, true, "Step length of tables that are not in TT format (default: --learning-rate)"),
  ),
  ttLearningRate: optional(numberOption(0, true, "Step length of TT-cores (default: --learning-rate)")),
  cacheLearningRate: optional(numberOption(0, true, "Step length of cached rows (default: that of the cores)")),
  eps: optional(numberOption(0, false, "Added to the root of Adagrad's and Adam's accumulators (default: 1e-10 and 1e-8)")),
  momentum: numberOption(0, true, "SGD's momentum in the MLPs, below 1"),
  beta1: optional(numberOption(0, true, "Adam's decay of the mean gradient (default: 0.9)")),
  beta2: optional(numberOption(0, true, "Adam's decay of the mean square (default: 0.999)")),
  weightDecay: numberOption(0, true, "Factor of w that is added to the gradient of each MLP weight w"),
  embeddingL2: numberOption(0, true, "L2 penalty of the rows that a batch looks up"),
  clipNorm: optional(numberOption(0, false, "Largest norm of the gradient of all parameters; a longer one is scaled down")),
  warmupSteps: integerOption(0, 0, "Steps over which the learning rates rise from 0"),
  decayStart: optional(integerOption(0, 0, "Step in which the learning rates begin to fall")),
  decaySteps: integerOption(0, 0, "Steps over which they fall, by the square of what is left; 0 means that they do not"),
  batchSize: integerOption(128, 1, "Samples a step"),
  microBatch: integerOption(
    0,
    0,
    "Samples that go through the MLPs at a time, for less memory; the gradient is that of the batch; 0 means all",
  ),
  epochs: integerOption(1, 0, "Passes over the training rows; 0 goes by --steps alone"),
  steps: integerOption(0, 0, "Steps after which the run ends in any case; 0 goes by --epochs alone"),
  shuffle: SHUFFLE,
  dropNegatives: numberOption(0, true, "Share of the training rows with label 0 that an epoch leaves out, below 1"),
  unknownShare: numberOption(
    0,
    true,
    "Share of the occurrences of rare ids that become the out-of-vocabulary id in training, so that its row learns; up to 1",
  ),
  rareAtMost: integerOption(1, 1, "For --unknown-share: ids that occur at most so often in training rows are rare"),
  seed: integerOption(1, 0, "Seed of the initial weights and of the shuffle"),
  evaluateEvery: integerOption(0, 0, "Steps between evaluations on the validation rows; 0 evaluates after each epoch only"),
  bestBy: choiceOption(
    "none",
    ["none", ...RANKING_METRICS],
    "Keeps the model of the best evaluation by this metric, and tests that one at the end; none tests the last",
  ),
  patience: integerOption(0, 0, "Stops after so many evaluations in a row that were not the best; 0 never stops for that reason"),
  minDelta: numberOption(0, true, "By how much an evaluation must be better to be the best"),
  stopAt: optional(numberOption(0, true, "Stops as soon as the metric of --best-by is as good as this")),
  checkpointEvery: integerOption(0, 0, "Steps between checkpoints; 0 saves at the end, and the best model, only"),
  keepCheckpoints: integerOption(1, 1, "How many of the latest checkpoints stay"),
};
