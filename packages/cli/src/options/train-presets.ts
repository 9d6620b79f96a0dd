import type { TrainSettings } from "./train-options.ts";

/**
 * Settings of DLRM's published benchmark configurations (bench/dlrm_s_criteo_kaggle.sh and …_terabyte.sh), and those chosen on validation
 * rows of a sample of Criteo Kaggle (100,000 rows), where SGD has not converged after an epoch.
 */
const BASES = {
  kaggle: { embeddingDim: 16, bottomMlp: [512, 256, 64, 16], topMlp: [512, 256, 1], learningRate: 0.1, batchSize: 128 },
  terabyte: { embeddingDim: 64, bottomMlp: [512, 256, 64], topMlp: [512, 512, 256, 1], learningRate: 0.1, batchSize: 2048 },
  "kaggle-sample": {
    ...{ embeddingDim: 16, bottomMlp: [64, 16], topMlp: [64, 1], batchSize: 128, shuffle: true },
    ...{
      optimizer: "adagrad",
      learningRate: 0.02,
      embeddingLearningRate: 0.03,
      ttLearningRate: 0.05,
      unknownShare: 0.3,
      rareAtMost: 2,
    },
  },
} satisfies Record<string, Partial<TrainSettings>>;

/** How many of the largest tables TT-Rec compresses, and at which ranks; a sample's small tables take R = 5 too. */
const TT_TABLES = [3, 5, 7] as const;
const TT_RANKS = [5, 8, 16, 32, 64] as const;

/** Presets by name: `kaggle` (also `kaggle-baseline`), `kaggle-tt-top7-r32`, and so on. */
export const TRAIN_PRESETS: ReadonlyMap<string, Partial<TrainSettings>> = new Map(
  Object.entries(BASES).flatMap(([data, base]): [string, Partial<TrainSettings>][] => [
    [data, base],
    [`${data}-baseline`, base],
    ...TT_TABLES.flatMap((ttTables) =>
      TT_RANKS.map((ttRanks): [string, Partial<TrainSettings>] => [
        `${data}-tt-top${ttTables}-r${ttRanks}`,
        { ...base, ttTables, ttRanks },
      ]),
    ),
  ]),
);
