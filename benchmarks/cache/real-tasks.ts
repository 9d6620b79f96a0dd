import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import {
  logSchemaOf,
  openDataset,
  parseTableSchema,
  type RowSource,
  type TableSchema,
  withNegatives,
} from "@tt-rec/criteo-loader";
import { logFile, type PrepareFilesOptions, prepareFiles, tableFile } from "@tt-rec/criteo-loader/node";
import { createRng, shuffleInPlace } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { suggestShape } from "@tt-rec/tt-math";
import type { Task } from "./task.ts";

type Model = Omit<Task, "name" | "source" | "denseFeatures" | "tableNames" | "cardinalities" | "accessCounts">;

const SHARES = [0.01, 0.05, 0.2];

const CRITEO: Model = {
  ...{
    bottomMlp: [64, 16],
    topMlp: [64, 1],
    ttTables: 7,
    ttRanks: 16,
    batchSize: 128,
    epochs: 1,
    shuffle: false,
    shares: SHARES,
  },
  optimizer: { kind: "adagrad", learningRate: 0.02, ttLearningRate: 0.02 },
};
/** A constant number gives the model a bottom MLP, and its products with the embeddings are biases of users and items. */
const PAIRS: Model = {
  ...{ bottomMlp: [16], topMlp: [64, 1], ttTables: 2, ttRanks: 8, batchSize: 1024, epochs: 2, shuffle: true, shares: SHARES },
  optimizer: { kind: "adagrad", learningRate: 0.05, ttLearningRate: 0.1 },
};

/** Criteo Kaggle's sample: the last sixth of the rows is the test. */
export async function criteoTask(data: string, folder: string): Promise<Task> {
  const target = join(folder, "criteo");
  await prepareFiles([logFile(join(data, "criteo-kaggle/train.tsv.gz"))], target, { days: 6, validationShare: 0 });
  return taskOf("criteo-kaggle-sample", target, CRITEO);
}

/** ml-1m: a random fifth of the ratings is the test. */
export async function movieTask(data: string, folder: string): Promise<Task> {
  const lines = shuffleInPlace(await readLines(join(data, "ml-1m/interactions.tsv.gz")), createRng(1));
  const log = join(folder, "ml-1m.tsv");
  await writeFile(log, `user\tmovie\tlabel\tone\n${lines.map((line) => `${line}\t1\n`).join("")}`);
  const schema = pairSchema({ label: "label" }, "movie");
  const target = join(folder, "ml-1m");
  await preparePairs([tableFile(log, schema)], target, schema, { days: 5, validationShare: 0, idOrder: "similarity" });
  return taskOf("ml-1m", target, PAIRS);
}

/** Gowalla: its own test rows, and four items for each that the user never went to. */
export async function gowallaTask(data: string, folder: string): Promise<Task> {
  const negatives = { user: "user", item: "item", perPositive: 4, seed: 1 };
  const schema = pairSchema({ negatives }, "item");
  const lines = await readLines(join(data, "gowalla/interactions.tsv.gz"));
  const files = [];
  for (const part of ["train", "test"]) {
    const log = join(folder, `gowalla-${part}.tsv`);
    const rows = lines.filter((line) => line.endsWith(`\t${part}`));
    await writeFile(log, `user\titem\tsplit\tone\n${rows.map((row) => `${row}\t1\n`).join("")}`);
    files.push(tableFile(log, schema));
  }
  const target = join(folder, "gowalla");
  const sources = withNegatives(files, negatives);
  await preparePairs(sources, target, schema, { days: "files", validationShare: 0 });
  return taskOf("gowalla", target, { ...PAIRS, epochs: 1 });
}

async function readLines(file: string): Promise<string[]> {
  const [, ...lines] = gunzipSync(await readFile(file))
    .toString()
    .trimEnd()
    .split("\n");
  return lines;
}

function pairSchema(use: object, item: string): TableSchema {
  const ids = ["user", item].map((column) => ({ column, type: "integer" }));
  return parseTableSchema(JSON.stringify({ ...use, dense: [{ column: "one", transform: "none" }], ids }));
}

async function preparePairs(
  sources: readonly RowSource[],
  target: string,
  schema: TableSchema,
  options: PrepareFilesOptions,
): Promise<void> {
  await prepareFiles(sources, target, {
    ...options,
    schema: logSchemaOf(schema),
    rowShape: (cardinality) => suggestShape(cardinality, 3),
  });
}

async function taskOf(name: string, target: string, model: Model): Promise<Task> {
  const data = await openDataset(nodeDirectory(target));
  const { denseFeatures, tableNames, cardinalities } = data;
  return { ...model, name, source: data, denseFeatures, tableNames, cardinalities, accessCounts: () => data.accessCounts() };
}
