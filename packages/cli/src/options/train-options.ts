import type { CacheConfig } from "@tt-rec/dlrm";
import type { ShapeRule } from "@tt-rec/tt-math";
import { type BytesSetting, bytesOption } from "./bytes-option.ts";
import { booleanOption, choiceOption, integerOption, integersOption, numberOption, type OptionSpec } from "./option-spec.ts";
import { SHAPES } from "./shapes-option.ts";

/** Everything that determines a training run, besides the data set. */
export interface TrainSettings {
  readonly embeddingDim: number;
  readonly bottomMlp: readonly number[];
  readonly topMlp: readonly number[];
  readonly ttTables: number;
  readonly ttRanks: number;
  readonly ttShapes: ShapeRule;
  readonly budget: BytesSetting;
  readonly cacheShare: number;
  readonly cacheWarmup: number;
  readonly cacheRefresh: number;
  readonly cachePolicy: NonNullable<CacheConfig["policy"]>;
  readonly optimizer: "sgd" | "adagrad";
  readonly learningRate: number;
  readonly ttLearningRate: number;
  readonly batchSize: number;
  readonly epochs: number;
  readonly shuffle: boolean;
  readonly seed: number;
  readonly evaluateEvery: number;
  readonly checkpointEvery: number;
}

/** The settings of `tt-rec train`; the defaults are DLRM's for Criteo Kaggle, uncompressed. */
export const TRAIN_OPTIONS: { readonly [name in keyof TrainSettings]: OptionSpec<TrainSettings[name]> } = {
  embeddingDim: integerOption(16, 1, "Columns D of every embedding table"),
  bottomMlp: integersOption([512, 256, 64, 16], "-", "Output widths of the bottom MLP; the last is the embedding dimension"),
  topMlp: integersOption([512, 256, 1], "-", "Output widths of the top MLP; the last is 1"),
  ttTables: integerOption(0, 0, "How many of the largest tables to store as TT-cores; 0 trains the uncompressed model"),
  ttRanks: integerOption(32, 1, "TT-rank R of those tables, clipped where a bond allows less"),
  ttShapes: SHAPES,
  budget: bytesOption(
    0,
    "Bytes that all tables may take, such as 20MB: chooses TT tables, their ranks and caches as tt-rec plan does; 0 means no budget",
  ),
  cacheShare: numberOption(
    0,
    true,
    "Share of a TT table's rows to keep in a cache of hot rows; 0 means no cache, the paper uses 0.0001",
  ),
  cacheWarmup: integerOption(1000, 1, "Steps after which the cache fills"),
  cacheRefresh: integerOption(1000, 1, "Steps between refreshes of the cache"),
  cachePolicy: choiceOption(
    "resident",
    ["resident", "semi-dynamic"],
    "What a refresh loads from the cores: only rows that enter, by aged accesses, or all, by accesses since the beginning (the paper)",
  ),
  optimizer: choiceOption("sgd", ["sgd", "adagrad"], "Update rule of all parameters"),
  learningRate: numberOption(0.1, true, "Step length of the MLPs and of uncompressed tables"),
  ttLearningRate: numberOption(0.1, true, "Step length of TT tables and their caches"),
  batchSize: integerOption(128, 1, "Samples a step"),
  epochs: integerOption(1, 1, "Passes over the training rows"),
  shuffle: booleanOption(false, "Whether each epoch reads the training rows in another order"),
  seed: integerOption(1, 0, "Seed of the initial weights and of the shuffle"),
  evaluateEvery: integerOption(0, 0, "Steps between evaluations on the validation rows; 0 evaluates after each epoch only"),
  checkpointEvery: integerOption(0, 0, "Steps between checkpoints; 0 saves at the end only"),
};

/** Settings of DLRM's published benchmark configurations (bench/dlrm_s_criteo_kaggle.sh and …_terabyte.sh). */
export const TRAIN_PRESETS: { readonly kaggle: Partial<TrainSettings>; readonly terabyte: Partial<TrainSettings> } = {
  kaggle: { embeddingDim: 16, bottomMlp: [512, 256, 64, 16], topMlp: [512, 256, 1], learningRate: 0.1, batchSize: 128 },
  terabyte: { embeddingDim: 64, bottomMlp: [512, 256, 64], topMlp: [512, 512, 256, 1], learningRate: 0.1, batchSize: 2048 },
};
