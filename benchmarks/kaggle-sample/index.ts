/**
 * Accuracy on a sample of Criteo Kaggle in time order, its last sixth held out, by the command and its presets: uncompressed, and with the
 * seven largest tables in TT format, three seeds each, with the paired interval of the difference (DeLong).
 * `npm run bench:kaggle-sample -- [--data FOLDER] [--json FILE]`; the folder holds `criteo-kaggle/train.tsv.gz`.
 */
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Writable } from "node:stream";
import { parseArgs } from "node:util";
import { openDataset } from "@tt-rec/criteo-loader";
import { type BinaryMetrics, compareAreas, openModel } from "@tt-rec/dlrm";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { alignColumns, describeMachine, describeSource } from "@tt-rec/testing";
import { runCommand } from "tt-rec";
import { DATA_FOLDER } from "../paper/harness/criteo-data.ts";

const PREPARE = ["--days", "6", "--validation-share", "0", "--min-frequency", "2", "--flag-missing", "--id-order", "similarity"];
const MODELS = { uncompressed: "kaggle-sample", "TT, 7 tables, R = 5": "kaggle-sample-tt-top7-r5" } as const;
const SEEDS = [1, 2, 3];
/** Accuracy, AUC and log-loss of logistic regression (FTRL, 2^20 hashed features, one epoch) on the same rows. */
const LOGISTIC_REGRESSION = ["0.7721", "0.7584", "0.4835"];

/** What a finished training tells. */
interface Run {
  readonly test: BinaryMetrics;
  readonly embeddingBytes: number;
  readonly stepMilliseconds: number;
  readonly logits: Float32Array;
}

const { values } = parseArgs({ options: { data: { type: "string" }, json: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "tt-rec-kaggle-sample-"));
const dataPath = join(folder, "data");

/** Runs the command and returns its last line. */
async function command(...args: string[]): Promise<string> {
  let text = "";
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const code = await runCommand([...args, "--json"], { stdout, stderr: process.stderr });
  if (code !== 0) throw new Error(`tt-rec ${args.join(" ")} ended with exit code ${code}`);
  return text.trimEnd().split("\n").at(-1) ?? "";
}

async function trainOnce(preset: string, seed: number): Promise<Run> {
  const out = join(folder, `${preset}-${seed}`);
  const machine = ["--threads", "1", "--blas", "off"];
  const line = await command("train", dataPath, "--out", out, "--preset", preset, "--seed", String(seed), ...machine);
  const { test, embeddingBytes, stepMilliseconds } = JSON.parse(line) as Omit<Run, "logits">;
  return { test, embeddingBytes, stepMilliseconds, logits: await scoreTestRows(out) };
}

async function scoreTestRows(run: string): Promise<Float32Array> {
  const model = await openModel(nodeDirectory(run), { runtime: { threads: 1 } });
  try {
    const scores: number[] = [];
    for await (const batch of data.batches({ split: "test", batchSize: 4096 })) scores.push(...(await model.score(batch)));
    return Float32Array.from(scores);
  } finally {
    await model.close();
  }
}

const mean = (numbers: readonly number[]): number => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;

const log = join(resolve(values.data ?? DATA_FOLDER), "criteo-kaggle/train.tsv.gz");
await command("prepare", log, "--out", dataPath, ...PREPARE);
const data = await openDataset(nodeDirectory(dataPath));
try {
  const labels: number[] = [];
  for await (const batch of data.batches({ split: "test", batchSize: 4096 })) labels.push(...batch.labels);
  const sizes = [...data.cardinalities].sort((a, b) => b - a).slice(0, 7);
  const uncompressedBytes = sizes.reduce((sum, rows) => sum + 4 * 16 * rows, 0);
  const table = [["model", "accuracy", "AUC", "log-loss", "embeddings", "7 tables", "model", "AUC against uncompressed", "step"]];
  table.push(["logistic regression (FTRL)", ...LOGISTIC_REGRESSION, "", "", "", "", ""]);
  let first: readonly Run[] | undefined;
  for (const [name, preset] of Object.entries(MODELS)) {
    const runs: Run[] = [];
    for (const seed of SEEDS) runs.push(await trainOnce(preset, seed));
    first ??= runs;
    const logits = [first, runs].map((side) => side.map((run) => run.logits));
    const { difference, interval } = compareAreas(labels, logits[0], logits[1]);
    const [accuracy, auc, logLoss] = (["accuracy", "auc", "logLoss"] as const).map((metric) =>
      mean(runs.map(({ test }) => test[metric])),
    );
    const saved = first[0].embeddingBytes - runs[0].embeddingBytes;
    const ratios = [uncompressedBytes / (uncompressedBytes - saved), first[0].embeddingBytes / runs[0].embeddingBytes];
    const step = mean(runs.map(({ stepMilliseconds }) => stepMilliseconds));
    table.push([
      ...[name, accuracy.toFixed(4), auc.toFixed(4), logLoss.toFixed(4), `${(runs[0].embeddingBytes / 1e6).toFixed(2)} MB`],
      ...ratios.map((ratio) => `${ratio.toFixed(1)}x`),
      ...[
        runs === first ? "" : `${difference.toFixed(4)} (${interval.map((x) => x.toFixed(4)).join(" to ")})`,
        `${step.toFixed(2)} ms`,
      ],
    ]);
    const line = {
      ...{
        id: `kaggle-sample/${preset}`,
        case: { preset, seeds: SEEDS, prepare: PREPARE.join(" ") },
        engine: "wasm",
        phase: "test",
      },
      ...{
        unit: "AUC",
        median: auc,
        runs: runs.length,
        accuracy,
        logLoss,
        difference,
        interval,
        tableRatio: ratios[0],
        ratio: ratios[1],
      },
      ...{ embeddingBytes: runs[0].embeddingBytes, stepMilliseconds: step, seeds: runs.map(({ test }) => test) },
      ...{ machine: describeMachine("off"), commit: describeSource(), date: new Date().toISOString() },
    };
    if (values.json !== undefined) appendFileSync(values.json, `${JSON.stringify(line)}\n`);
  }
  console.log(alignColumns(table));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
