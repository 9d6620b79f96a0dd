import { generateLog } from "@tt-rec/criteo-loader";
import type { Batch, BatchRequest, Split } from "@tt-rec/dlrm";
import { KAGGLE_CARDINALITIES } from "@tt-rec/tt-math";
import type { Task } from "./task.ts";

const NUMBERS = 13;
const TABLES = KAGGLE_CARDINALITIES.length;

/** Rows of the log for training, and for the test that follows them. */
const TRAIN_ROWS = 400_000;
const TEST_ROWS = 100_000;

interface Log {
  readonly labels: Float32Array;
  readonly numbers: Float32Array;
  /** Row ids by table. */
  readonly ids: readonly Uint32Array[];
}

/**
 * A generated log with the tables of Criteo Kaggle in their full size, the largest of 10,131,227 rows. Words are taken modulo the
 * size of their table, so that the ids that occur lie all over it, as hashing puts them; in memory, because a prepared data set
 * would have a row for each id that occurs only.
 */
export async function generatedTask(): Promise<Task> {
  const log = await drawLog();
  const ranges: Record<Split, [number, number]> = {
    train: [0, TRAIN_ROWS],
    test: [TRAIN_ROWS, TRAIN_ROWS + TEST_ROWS],
    validation: [0, 0],
  };
  return {
    name: "generated-10m",
    source: {
      rows: (split) => ranges[split][1] - ranges[split][0],
      batches: (request) => batches(log, ranges[request.split], request),
    },
    denseFeatures: NUMBERS,
    tableNames: KAGGLE_CARDINALITIES.map((_, table) => `C${table + 1}`),
    cardinalities: KAGGLE_CARDINALITIES,
    async accessCounts() {
      return log.ids.map((column, table) => {
        const counts = new Uint32Array(KAGGLE_CARDINALITIES[table]);
        for (const id of column.subarray(0, TRAIN_ROWS)) counts[id]++;
        return counts;
      });
    },
    ...{ bottomMlp: [64, 16], topMlp: [64, 1], ttTables: 7, ttRanks: 16, batchSize: 256, epochs: 1, shuffle: false },
    optimizer: { kind: "adagrad", learningRate: 0.02, ttLearningRate: 0.02 },
    shares: [0.0001, 0.001, 0.01],
  };
}

async function drawLog(): Promise<Log> {
  const rows = TRAIN_ROWS + TEST_ROWS;
  const labels = new Float32Array(rows);
  const numbers = new Float32Array(rows * NUMBERS);
  const ids = KAGGLE_CARDINALITIES.map(() => new Uint32Array(rows));
  let row = 0;
  let rest = "";
  for await (const chunk of generateLog({ rows, seed: 1 })) {
    const lines = (rest + new TextDecoder().decode(chunk)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const fields = line.split("\t");
      labels[row] = Number(fields[0]);
      for (let i = 0; i < NUMBERS; i++) numbers[row * NUMBERS + i] = Math.log1p(Math.max(0, Number(fields[1 + i])));
      for (let t = 0; t < TABLES; t++)
        ids[t][row] = Number.parseInt(fields[1 + NUMBERS + t] || "0", 16) % KAGGLE_CARDINALITIES[t];
      row++;
    }
  }
  return { labels, numbers, ids };
}

async function* batches(log: Log, [from, to]: readonly [number, number], request: BatchRequest): AsyncGenerator<Batch> {
  const { batchSize, start = 0 } = request;
  for (let begin = from + start * batchSize; begin < to; begin += batchSize) {
    const end = Math.min(to, begin + batchSize);
    yield {
      size: end - begin,
      labels: log.labels.subarray(begin, end),
      dense: log.numbers.subarray(begin * NUMBERS, end * NUMBERS),
      bags: log.ids.map((column) => ({ indices: column.subarray(begin, end) })),
    };
  }
}
