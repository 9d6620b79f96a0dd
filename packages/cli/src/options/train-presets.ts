import type { TrainSettings } from "./train-options.ts";

/** Settings of DLRM's published benchmark configurations (bench/dlrm_s_criteo_kaggle.sh and …_terabyte.sh). */
const BASES = {
  kaggle: { embeddingDim: 16, bottomMlp: [512, 256, 64, 16], topMlp: [512, 256, 1], learningRate: 0.1, batchSize: 128 },
  terabyte: { embeddingDim: 64, bottomMlp: [512, 256, 64], topMlp: [512, 512, 256, 1], learningRate: 0.1, batchSize: 2048 },
} satisfies Record<string, Partial<TrainSettings>>;

/** How many of the largest tables TT-Rec compresses, and at which ranks. */
const TT_TABLES = [3, 5, 7] as const;
const TT_RANKS = [8, 16, 32, 64] as const;

/**
 * Settings for a sample of Criteo Kaggle (100,000 rows), where DLRM's have not converged after an epoch: chosen on validation rows
 * (`npm run bench:kaggle-sample` tests them).
 */
const KAGGLE_SAMPLE: Partial<TrainSettings> = {
  ...{ embeddingDim: 16, bottomMlp: [64, 16], topMlp: [64, 1], batchSize: 128, shuffle: true, optimizer: "adagrad" },
  ...{ learningRate: 0.02, embeddingLearningRate: 0.03, ttLearningRate: 0.05, unknownShare: 0.3, rareAtMost: 2 },
};

/** Presets by name: `kaggle` (also `kaggle-baseline`), `kaggle-tt-top7-r32`, and so on. */
export const TRAIN_PRESETS: ReadonlyMap<string, Partial<TrainSettings>> = new Map([
  ...Object.entries(BASES).flatMap(([data, base]): [string, Partial<TrainSettings>][] => [
    [data, base],
    [`${data}-baseline`, base],
    ...TT_TABLES.flatMap((ttTables) =>
      TT_RANKS.map((ttRanks): [string, Partial<TrainSettings>] => [
        `${data}-tt-top${ttTables}-r${ttRanks}`,
        { ...base, ttTables, ttRanks },
      ]),
    ),
  ]),
  ["kaggle-sample", KAGGLE_SAMPLE],
  ["kaggle-sample-tt-top7-r5", { ...KAGGLE_SAMPLE, ttTables: 7, ttRanks: 5 }],
]);
